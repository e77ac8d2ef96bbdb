//! Logging in, over real HTTP with a fake WeChat.
#![cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod answer;
mod apps;
mod cloud_hosting;
mod codes;
mod kept;
mod moody;
mod on_login;
mod platforms;
mod proxies;
mod single_use;
#[path = "../support/mod.rs"]
mod support;
mod turns;
mod wechat;
mod wechat_faults;
