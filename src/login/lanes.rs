use std::collections::HashMap;
use std::sync::Arc;

use super::report::ProviderLog;
use super::turns::{RUNNING, Turns};
use crate::identity::split_appid;
use crate::sync::Lock;

/// Platforms with a lane of their own; any more share the last one. A provider of the application's may
/// take any appid for configured, so the clients must not decide how many there are.
const LANES: usize = 64;

/// What the logins at one platform have to themselves: one that is slow or down holds up no other's.
pub(super) struct Lane {
    pub(super) turns: Turns,
    pub(super) log: ProviderLog,
}

/// The lanes of the platforms behind a login.
pub(super) struct Lanes {
    exchanges_in_flight: usize,
    of_platforms: Lock<HashMap<Option<String>, Arc<Lane>>>,
}

impl Lanes {
    pub(super) fn new(exchanges_in_flight: usize) -> Self {
        Self {
            exchanges_in_flight,
            of_platforms: Lock::default(),
        }
    }

    /// The lane of an app's platform.
    pub(super) fn of(&self, appid: &str) -> Arc<Lane> {
        let mut lanes = self.of_platforms.lock();
        let mut platform = split_appid(appid).0.map(str::to_owned);
        if lanes.len() >= LANES && !lanes.contains_key(&platform) {
            platform = Some(String::new());
        }
        let lane = lanes.entry(platform);
        let lane = lane.or_insert_with_key(|platform| self.lane(platform.clone()));
        Arc::clone(lane)
    }

    fn lane(&self, platform: Option<String>) -> Arc<Lane> {
        Arc::new(Lane {
            turns: Turns::new(self.exchanges_in_flight),
            log: ProviderLog::of(platform),
        })
    }
}

impl Default for Lanes {
    fn default() -> Self {
        Self::new(RUNNING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_has_a_lane_and_all_too_many_share_one() {
        let lanes = Lanes::default();
        assert!(Arc::ptr_eq(&lanes.of("wx1"), &lanes.of("wx2")));
        assert!(Arc::ptr_eq(&lanes.of("qq:1"), &lanes.of("qq:2")));
        assert!(!Arc::ptr_eq(&lanes.of("wx1"), &lanes.of("qq:1")));
        for number in 0..1000 {
            lanes.of(&format!("{number}:a"));
        }
        assert!(Arc::ptr_eq(&lanes.of("998:a"), &lanes.of("999:a")));
        assert_eq!(lanes.of_platforms.lock().len(), LANES + 1);
    }
}
