//! What a store promises.
#![cfg(feature = "test-util")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::print_stdout,
    reason = "children tell, and tests that take long say what they did"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod conformance;
#[cfg(feature = "file")]
#[path = "../support/eventually.rs"]
mod eventually;
#[cfg(feature = "file")]
mod file;
mod memory;
mod wrong;
