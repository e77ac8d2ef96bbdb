//! Logging in at other platforms than WeChat: each a feature of its name.

#[cfg(feature = "http-client")]
pub(crate) mod api;
#[cfg(any(feature = "qq", feature = "wechat"))]
pub(crate) mod code2session;
#[cfg(any(feature = "qq", feature = "wechat"))]
pub(crate) mod errcode;
