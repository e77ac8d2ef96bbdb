//! What operators see.
#![cfg(feature = "test-util")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

#[cfg(feature = "tracing")]
mod events;
#[cfg(feature = "metrics")]
mod hits;
#[cfg(feature = "metrics")]
mod metrics;
#[path = "../support/mod.rs"]
mod support;
