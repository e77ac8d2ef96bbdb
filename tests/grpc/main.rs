//! The layer in gRPC servers, and refusals as clients of gRPC, grpc-web and Connect understand them.
#![cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod clients;
mod connect;
mod forms;
mod languages;
mod placement;
#[path = "../support/mod.rs"]
mod support;
