//! A refusal reaches the client also while that is still sending: what is left of the request's
//! body is read on and thrown away.
#![cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

#[cfg(feature = "hyper")]
mod bodies;
mod bounds;
mod patient;
mod proxied;
mod site;
mod straight;
#[path = "../support/mod.rs"]
mod support;
