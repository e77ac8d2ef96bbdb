//! For tests, yours and ours: never needed in production.

mod fake_wechat;

pub use self::fake_wechat::{FakeWeChat, Fault};
pub use crate::time::ManualClock;
