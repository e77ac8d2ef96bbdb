//! Every platform, over real HTTP with its fake, and against software that is not ours.
#![cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

#[cfg(feature = "baidu")]
mod baidu;
#[cfg(feature = "dingtalk")]
mod dingtalk;
#[cfg(feature = "douyin")]
mod douyin;
#[cfg(all(
    feature = "baidu",
    feature = "dingtalk",
    feature = "douyin",
    feature = "kuaishou",
    feature = "lark",
    feature = "qq"
))]
mod errors;
#[cfg(feature = "kuaishou")]
mod kuaishou;
#[cfg(feature = "lark")]
mod lark;
#[cfg(feature = "qq")]
mod qq;
mod sister;
#[path = "../support/mod.rs"]
mod support;
