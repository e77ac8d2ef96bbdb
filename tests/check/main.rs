//! What a node says of sessions, over stores in memory that a test delays or has fail.
#![cfg(feature = "test-util")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod coalesce;
mod cost;
mod ended;
mod expiry;
mod flush;
mod interleavings;
mod link;
mod race;
mod session_keys;
mod sessions;
#[path = "../support/mod.rs"]
mod support;
mod tag_keys;
