use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::session::StoreState;
use crate::time::Uptime;

/// A link without an event for this long counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(2);
/// Marks a link that cannot die unnoticed.
const FOREVER: u64 = u64::MAX;

/// Whether revocations reach this node.
#[derive(Default)]
pub(super) struct Link {
    /// Since when, without a gap, in the order of what happened on this node; 0 while they do not.
    since: AtomicU64,
    /// When the last sign of life came.
    alive_at: AtomicU64,
}

impl Link {
    /// How far the store stands behind what this node holds.
    #[inline]
    pub(super) fn state(&self, now: Uptime) -> StoreState {
        // In this order: a link that comes back sets its start before its sign of life.
        let is_silent = self.is_silent(now);
        let since = self.since.load(Ordering::Acquire);
        if since == 0 || is_silent {
            StoreState::Unlinked
        } else {
            StoreState::Linked { since }
        }
    }

    pub(super) fn came_up(&self, since: u64, now: Uptime, has_heartbeat: bool) {
        let alive_at = if has_heartbeat {
            now.as_millis()
        } else {
            FOREVER
        };
        self.alive_at.store(alive_at, Ordering::Release);
        self.since.store(since, Ordering::Release);
    }

    pub(super) fn went_down(&self) {
        self.since.store(0, Ordering::Release);
    }

    /// Notes a sign of life; after a silence the link counts as a new one, `since` now, and the
    /// answer is `true`.
    pub(super) fn beat(&self, since: impl FnOnce() -> u64, now: Uptime) -> bool {
        if self.alive_at.load(Ordering::Acquire) == FOREVER {
            return false;
        }
        let was_silent = self.is_silent(now);
        if was_silent {
            self.since.store(since(), Ordering::Release);
        }
        self.alive_at.store(now.as_millis(), Ordering::Release);
        was_silent
    }

    #[inline]
    fn is_silent(&self, now: Uptime) -> bool {
        let alive_at = Uptime::from_millis(self.alive_at.load(Ordering::Acquire));
        now.since(alive_at) > DEAD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Uptime {
        Uptime::from_millis(millis)
    }

    #[test]
    fn a_link_is_dead_after_two_seconds_of_silence() {
        let link = Link::default();
        assert_eq!(link.state(at(1)), StoreState::Unlinked);
        link.came_up(7, at(1000), true);
        assert_eq!(link.state(at(3000)), StoreState::Linked { since: 7 });
        assert_eq!(link.state(at(3001)), StoreState::Unlinked);
    }

    #[test]
    fn what_came_before_a_silence_is_not_trusted_after_it() {
        let link = Link::default();
        link.came_up(7, at(1000), true);
        assert!(!link.beat(|| 8, at(2500)));
        assert_eq!(link.state(at(4500)), StoreState::Linked { since: 7 });
        assert!(link.beat(|| 9, at(9000)));
        assert_eq!(link.state(at(9001)), StoreState::Linked { since: 9 });
        link.went_down();
        assert_eq!(link.state(at(9001)), StoreState::Unlinked);
    }

    #[test]
    fn a_link_without_heartbeat_lives_until_it_ends() {
        let link = Link::default();
        link.came_up(7, at(1000), false);
        assert!(!link.beat(|| 8, at(2000)));
        let much_later = at(1_000_000_000);
        assert_eq!(link.state(much_later), StoreState::Linked { since: 7 });
        link.went_down();
        assert_eq!(link.state(much_later), StoreState::Unlinked);
    }
}
