//! What must not get out does not: logs at TRACE level, errors, `Debug` and answers.
//!
//! A program of its own: its subscriber and its recorder are those of the process.
#![cfg(all(
    feature = "axum",
    feature = "wechat",
    feature = "test-util",
    feature = "tracing"
))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod run;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod types;
