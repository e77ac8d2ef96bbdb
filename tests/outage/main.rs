//! What a store that is down, in part or for writes only, leads to and what not.
#![cfg(feature = "test-util")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod breaker;
mod chaos;
mod parts;
mod reassertions;
#[path = "../support/mod.rs"]
mod support;
mod trust;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod unwritable;
