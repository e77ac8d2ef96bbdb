//! `RedisStore` on real servers: alone, behind Sentinel, as a Cluster, and when they fail.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod announcements;
mod cluster;
mod index;
mod link;
mod records;
mod resharding;
mod runtimes;
mod server;
mod session_keys;
mod single_use;
mod slot;
mod suite;
#[path = "../support/mod.rs"]
mod support;
mod tag_keys;
mod topology;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod unwritable;
