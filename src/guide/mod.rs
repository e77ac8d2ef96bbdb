//! Pages on how it is used, what it does when things fail, and why it is as it is.
//!
//! | Page | What it answers |
//! |---|---|
#![cfg_attr(
    all(feature = "axum", feature = "wechat"),
    doc = "| [`from_wx_login`], [`from_wx_login_zh`] | What is a mini program's login, and how does a request become one of a user? 从 wx.login 到第一个受保护的请求 |\n\
           | [`moving_over`], [`moving_over_zh`] | How do I move over from Wafer, a JWT, tower-sessions or sa-token? 从已有方案迁移 |"
)]
#![cfg_attr(
    all(feature = "axum", feature = "wechat"),
    doc = "| [`recipes`] | How do I ban a user, limit devices, end sessions, close a WebSocket, decrypt a phone number? |"
)]
#![cfg_attr(
    all(feature = "douyin", feature = "telegram", feature = "wechat"),
    doc = "| [`platforms`] | Which platforms are there, what of each, and what does each error code mean? |"
)]
#![cfg_attr(
    all(feature = "axum", feature = "crypto", feature = "test-util"),
    doc = "| [`open_data`] | How do I decrypt a phone number, and why does it fail now and then? |"
)]
#![cfg_attr(
    feature = "axum",
    doc = "| [`composing`] | In which order do layers stand: CORS, trace, limits, time-outs, nested routers? |"
)]
//! | [`hosts`] | How is it used with actix-web, Rocket, poem, volo, salvo, warp or Lambda? |
//! | [`clients`] | Which request library does what when a session is over, and how is it set up? |
//! | [`grpc`] | How does it work with tonic, and what do gRPC clients see? |
//! | [`which_store`] | Where are sessions kept: a file, PostgreSQL, MySQL, Redis? 会话存在哪里，用哪种数据库？ |
//! | [`outages`] | What happens when the store, the network or WeChat fails? |
#![cfg_attr(
    feature = "redis",
    doc = "| [`redis_servers`] | Which Redis servers work, and how are they set? 腾讯云、阿里云的 Redis 能不能用？ |"
)]
//! | [`functions`] | What does a host need that freezes after the response, such as AWS Lambda? |
//! | [`session_keys`] | Should a session end with WeChat's session_key? 会话要不要跟随微信的 session_key？ |
//! | [`defaults`] | What is each default, and why? |
//! | [`observability`] | Which metrics, events and spans are there? |
//! | [`performance`] | What does a check cost, and why? |

#[cfg(all(feature = "axum", feature = "wechat"))]
#[doc = include_str!("from_wx_login.md")]
pub mod from_wx_login {}

#[cfg(all(feature = "axum", feature = "wechat"))]
#[doc = include_str!("from_wx_login_zh.md")]
pub mod from_wx_login_zh {}

#[cfg(all(feature = "axum", feature = "wechat"))]
#[doc = include_str!("moving_over.md")]
pub mod moving_over {}

#[cfg(all(feature = "axum", feature = "wechat"))]
#[doc = include_str!("moving_over_zh.md")]
pub mod moving_over_zh {}

#[cfg(all(feature = "axum", feature = "wechat"))]
#[doc = include_str!("recipes.md")]
pub mod recipes {}

#[cfg(all(feature = "douyin", feature = "telegram", feature = "wechat"))]
#[doc = include_str!("platforms.md")]
pub mod platforms {}

#[cfg(all(feature = "axum", feature = "crypto", feature = "test-util"))]
#[doc = include_str!("open_data.md")]
pub mod open_data {}

#[cfg(feature = "axum")]
#[doc = include_str!("composing.md")]
pub mod composing {}

#[doc = include_str!("hosts.md")]
pub mod hosts {}

#[doc = include_str!("clients.md")]
pub mod clients {}

#[doc = include_str!("grpc.md")]
pub mod grpc {}

#[doc = include_str!("which_store.md")]
pub mod which_store {}

#[doc = include_str!("outages.md")]
pub mod outages {}

#[cfg(feature = "redis")]
#[doc = include_str!("redis_servers.md")]
pub mod redis_servers {}

#[doc = include_str!("functions.md")]
pub mod functions {}

#[doc = include_str!("session_keys.md")]
pub mod session_keys {}

#[doc = include_str!("defaults.md")]
pub mod defaults {}

#[doc = include_str!("observability.md")]
pub mod observability {}

#[doc = include_str!("performance.md")]
pub mod performance {}
