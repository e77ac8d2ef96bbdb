//! For tests, yours and ours: never needed in production.

mod chaos;
pub mod conformance;
mod fake_platform;
mod hit_steps;
mod session;

pub use self::chaos::{Chaos, ChaosStore};
pub use self::fake_platform::{
    FakeBaidu, FakeDingTalk, FakeDouyin, FakeDouyinMiniGame, FakeDouyinServiceProvider,
    FakeKuaishou, FakeKuaishouMiniGame, FakeKwaiGame, FakeLark, FakePlatform, FakeQq, FakeWeChat,
    Fault,
};
pub use self::hit_steps::HitSteps;
pub use self::session::session;
pub use crate::time::ManualClock;
