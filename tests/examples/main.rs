//! The examples as they are started by hand. `cargo test` has built them.
#![cfg(all(
    feature = "axum",
    feature = "file",
    feature = "metrics",
    feature = "mysql",
    feature = "postgres",
    feature = "redis",
    feature = "tracing",
    feature = "wechat",
    feature = "test-util"
))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod axum;
mod builds;
mod clients;
mod dashboard;
mod demo;
mod devtools;
#[cfg(unix)]
mod fleet;
#[cfg(feature = "hyper")]
mod hyper;
mod miniprogram;
#[cfg(all(feature = "alipay", feature = "crypto", feature = "vk"))]
mod platforms;
mod stores;
#[path = "../support/mod.rs"]
mod support;
mod tonic;
