//! For tests, yours and ours: never needed in production.

mod chaos;
pub mod conformance;
#[cfg(any(feature = "telegram", feature = "vk"))]
mod fake_launch;
mod fake_wechat;
mod hit_steps;
mod session;

pub use self::chaos::{Chaos, ChaosStore};
#[cfg(feature = "telegram")]
pub use self::fake_launch::FakeTelegram;
#[cfg(feature = "vk")]
pub use self::fake_launch::FakeVk;
pub use self::fake_wechat::{FakeWeChat, Fault};
pub use self::hit_steps::HitSteps;
pub use self::session::session;
pub use crate::time::ManualClock;
