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
mod alipay_peers;
#[cfg(feature = "baidu")]
mod baidu;
#[cfg(feature = "dingtalk")]
mod dingtalk;
#[cfg(feature = "douyin")]
mod douyin;
#[cfg(all(
    feature = "alipay",
    feature = "baidu",
    feature = "dingtalk",
    feature = "douyin",
    feature = "kuaishou",
    feature = "lark",
    feature = "qq"
))]
mod errors;
#[cfg(feature = "alipay")]
mod fakes;
#[cfg(feature = "kuaishou")]
mod kuaishou;
#[cfg(feature = "lark")]
mod lark;
#[cfg(all(feature = "telegram", feature = "vk"))]
mod launch_data;
#[cfg(feature = "crypto")]
mod open_data;
#[cfg(feature = "crypto")]
mod open_data_vectors;
#[cfg(feature = "qq")]
mod qq;
#[cfg(any(
    feature = "baidu",
    feature = "dingtalk",
    feature = "douyin",
    feature = "kuaishou",
    feature = "lark",
    feature = "qq"
))]
mod sister;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "telegram")]
mod telegram;
#[cfg(feature = "vk")]
mod vk;
mod wechat;
mod wechat_access_token;
mod wechat_errors;
mod wechat_hosts;
mod wechat_multi_end;
mod wechat_phone_number;
mod wechat_redaction;
mod wechat_session_key;
