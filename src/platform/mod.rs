//! Logging in at other platforms than WeChat: each a feature of its name.

#[cfg(any(feature = "telegram", feature = "vk"))]
mod launch;
#[cfg(feature = "telegram")]
mod telegram;
#[cfg(feature = "vk")]
mod vk;

#[cfg(feature = "telegram")]
pub use self::telegram::Telegram;
#[cfg(feature = "vk")]
pub use self::vk::Vk;
pub use crate::config_error::ConfigError;
