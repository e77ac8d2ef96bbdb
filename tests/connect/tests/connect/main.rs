//! The layer in a server of the crate `connectrpc`, and clients in Rust and JavaScript that call it.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod accounts;
mod javascript;
mod rust;
#[path = "../../../support/mod.rs"]
mod support;
