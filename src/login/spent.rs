use std::time::{Duration, Instant};

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::code::CodeDigest;
use crate::time::Uptime;

const SPENT: u64 = 100_000;

/// The codes that were spent on this node, each for as long as it may be good at the platform.
///
/// Full, it forgets the oldest.
pub(super) struct Spent(Cache<CodeDigest, Mark>);

#[derive(Clone, Copy)]
struct Mark {
    at: Uptime,
    lifetime: Duration,
}

impl Spent {
    pub(super) fn new() -> Self {
        let cache = Cache::builder()
            .max_capacity(SPENT)
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Lifetime);
        Self(cache.build())
    }

    /// Marks a code as spent; `false` if it was already.
    ///
    /// Looks and marks in one step, so that of two attempts with one code one gets `true`, also
    /// where the first is forgotten as an attempt. This keeps a code from reaching the provider
    /// twice.
    pub(super) fn spend(&self, code: CodeDigest, lifetime: Duration, now: Uptime) -> bool {
        let entry = self.0.entry(code);
        let mark = || Mark { at: now, lifetime };
        entry
            .or_insert_with_if(mark, |mark| mark.is_over(now))
            .is_fresh()
    }

    /// Whether a code is spent already: a hint that saves the way to [`spend`](Self::spend), which
    /// decides.
    pub(super) fn contains(&self, code: CodeDigest, now: Uptime) -> bool {
        self.0.get(&code).is_some_and(|mark| !mark.is_over(now))
    }
}

impl Mark {
    fn is_over(&self, now: Uptime) -> bool {
        now.since(self.at) >= self.lifetime
    }
}

/// Frees the room of a mark when it is over.
struct Lifetime;

impl Expiry<CodeDigest, Mark> for Lifetime {
    fn expire_after_create(&self, _: &CodeDigest, mark: &Mark, _: Instant) -> Option<Duration> {
        Some(mark.lifetime)
    }

    fn expire_after_update(
        &self,
        _: &CodeDigest,
        mark: &Mark,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(mark.lifetime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_spent_for_as_long_as_it_may_be_good() {
        let (spent, code) = (Spent::new(), CodeDigest::new("appid", "code"));
        let (start, minute) = (Uptime::default(), Duration::from_secs(60));
        assert!(!spent.contains(code, start));
        assert!(spent.spend(code, minute, start));
        let last = start.after(minute - Duration::from_millis(1));
        assert!(!spent.spend(code, minute, last));
        assert!(spent.contains(code, last));
        let over = start.after(minute);
        assert!(!spent.contains(code, over));
        assert!(spent.spend(code, 2 * minute, over));
        assert!(!spent.spend(code, 2 * minute, over.after(minute)));
    }

    #[test]
    fn a_code_may_be_good_for_ever_or_never() {
        let (spent, now) = (Spent::new(), Uptime::default());
        let code = CodeDigest::new("appid", "for ever");
        assert!(spent.spend(code, Duration::MAX, now));
        assert!(!spent.spend(code, Duration::MAX, now.after(Duration::MAX)));
        let code = CodeDigest::new("appid", "never");
        assert!(spent.spend(code, Duration::ZERO, now));
        assert!(spent.spend(code, Duration::ZERO, now));
    }
}
