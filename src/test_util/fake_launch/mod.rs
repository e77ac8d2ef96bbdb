//! Fakes of the platforms that sign launch data: no server, only what they would have signed.

mod code;
#[cfg(feature = "telegram")]
mod telegram;
#[cfg(feature = "vk")]
mod vk;

#[cfg(feature = "telegram")]
pub use self::telegram::FakeTelegram;
#[cfg(feature = "vk")]
pub use self::vk::FakeVk;
