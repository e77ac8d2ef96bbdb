//! Logging in at other platforms than WeChat: each a feature of its name.

#[cfg(feature = "alipay")]
pub(crate) mod alipay;
#[cfg(feature = "http-client")]
pub(crate) mod api;
#[cfg(any(feature = "qq", feature = "wechat"))]
pub(crate) mod code2session;
#[cfg(any(feature = "qq", feature = "wechat"))]
pub(crate) mod errcode;

#[cfg(feature = "alipay")]
pub use self::alipay::{Alipay, AlipayKeys, AlipayUserId};
