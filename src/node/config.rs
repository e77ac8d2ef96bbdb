use std::time::Duration;

use super::key_check_policy::KeyCheckPolicy;
use super::outage_policy::OutagePolicy;
use super::seal::Seal;
use crate::session::Freshness;
use crate::session_key::AnyCheck;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a node goes by; `SessionsBuilder` has the public side, with what each is about.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) idle_timeout: Duration,
    pub(crate) lifetime: Duration,
    pub(crate) rotation_grace: Duration,
    pub(crate) sessions_per_user: Option<usize>,
    pub(crate) cache_capacity: u64,
    pub(crate) freshness: Freshness,
    pub(crate) store_deadline: Duration,
    pub(crate) loads_in_flight: usize,
    pub(crate) pending_revocations: usize,
    /// Without it a store that is shared keeps no session_keys.
    pub(crate) seal: Option<Seal>,
    /// Without it nobody's session ends with its session_key.
    pub(crate) key_check: Option<AnyCheck>,
    pub(crate) key_check_policy: KeyCheckPolicy,
    /// The apps whose sessions are good here; any if there is no list.
    pub(crate) appids: Option<Vec<String>>,
}

impl Config {
    pub(super) fn serves(&self, appid: &str) -> bool {
        let appids = self.appids.as_ref();
        appids.is_none_or(|appids| appids.iter().any(|ours| ours == appid))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            idle_timeout: 2 * HOUR,
            lifetime: 30 * DAY,
            rotation_grace: MINUTE / 2,
            sessions_per_user: None,
            cache_capacity: 200_000,
            freshness: Freshness {
                linked: MINUTE / 2,
                unlinked: Duration::from_secs(3),
                grace: OutagePolicy::default().grace(),
            },
            store_deadline: Duration::from_millis(250),
            loads_in_flight: 256,
            pending_revocations: 10_000,
            seal: None,
            key_check: None,
            key_check_policy: KeyCheckPolicy::default(),
            appids: None,
        }
    }
}
