//! What clients see on the wire, whatever they send.
#![cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod bad_logins;
mod bad_tokens;
mod passing;
mod prefetch;
mod random;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
