//! `RedisStore` on real servers: alone, behind Sentinel, as a Cluster, and when they fail.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it has measured"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod advice;
mod announcements;
mod cluster;
mod commands;
mod databases;
mod faults;
mod index;
mod link;
mod link_losses;
mod loads;
mod logins;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod lua;
mod matrix;
mod piecewise;
mod protocols;
mod publishing;
mod records;
mod resharding;
#[cfg(feature = "tracing")]
mod rights;
mod runtimes;
mod secured_sentinel;
mod server;
mod servers;
mod session_keys;
mod single_use;
mod slot;
mod suite;
#[path = "../support/mod.rs"]
mod support;
mod tag_keys;
mod tls;
mod topology;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod unwritable;
