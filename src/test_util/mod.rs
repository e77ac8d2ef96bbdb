//! For tests, yours and ours: never needed in production.

mod fake_wechat;
mod session;

pub use self::fake_wechat::{FakeWeChat, Fault};
pub use self::session::session;
pub use crate::time::ManualClock;
