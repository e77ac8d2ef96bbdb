//! Logging in at other platforms than WeChat: each a feature of its name.

#[cfg(feature = "alipay")]
mod alipay;
#[cfg(feature = "http-client")]
pub(crate) mod api;
#[cfg(any(feature = "qq", feature = "wechat"))]
pub(crate) mod code2session;
#[cfg(any(feature = "qq", feature = "wechat"))]
pub(crate) mod errcode;
#[cfg(any(feature = "telegram", feature = "vk"))]
mod launch;
#[cfg(feature = "telegram")]
mod telegram;
#[cfg(feature = "vk")]
mod vk;

#[cfg(feature = "alipay")]
pub use self::alipay::{Alipay, AlipayKeys, AlipayUserId};
#[cfg(feature = "telegram")]
pub use self::telegram::Telegram;
#[cfg(feature = "vk")]
pub use self::vk::Vk;
pub use crate::config_error::ConfigError;
