//! For tests, yours and ours: never needed in production.

mod chaos;
pub mod conformance;
#[cfg(any(feature = "telegram", feature = "vk"))]
mod fake_launch;
mod fake_platform;
mod hit_steps;
#[cfg(feature = "crypto")]
mod open_data;
mod session;

pub use self::chaos::{Chaos, ChaosStore};
#[cfg(feature = "telegram")]
pub use self::fake_launch::FakeTelegram;
#[cfg(feature = "vk")]
pub use self::fake_launch::FakeVk;
#[cfg(feature = "alipay")]
pub use self::fake_platform::FakeAlipay;
pub use self::fake_platform::{
    FakeBaidu, FakeDingTalk, FakeDouyin, FakeDouyinMiniGame, FakeDouyinServiceProvider,
    FakeKuaishou, FakeKuaishouMiniGame, FakeKwaiGame, FakeLark, FakePlatform, FakeQq, FakeWeChat,
    Fault,
};
pub use self::hit_steps::HitSteps;
#[cfg(feature = "crypto")]
pub use self::open_data::encrypt_open_data;
pub use self::session::session;
pub use crate::time::ManualClock;
