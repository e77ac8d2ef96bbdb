//! Every platform, over real HTTP with its fake, and against software that is not ours.
#![cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

#[cfg(feature = "alipay")]
mod alipay;
#[cfg(feature = "alipay")]
mod alipay;
#[cfg(feature = "alipay")]
mod alipay_peers;
#[cfg(feature = "alipay")]
mod alipay_peers;
#[cfg(all(feature = "telegram", feature = "vk"))]
mod launch_data;
#[cfg(feature = "crypto")]
mod open_data;
#[cfg(feature = "crypto")]
mod open_data_vectors;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "telegram")]
mod telegram;
#[cfg(feature = "vk")]
mod vk;
