//! The stores in SQL databases, on real servers: alone, behind a pooler, and when they fail.
#![cfg(feature = "test-util")]
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it has measured"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

#[cfg(any(feature = "mysql", feature = "postgres"))]
mod every_way;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[path = "../support/mod.rs"]
mod support;
