use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::session::{Gap, StoreState};
use crate::time::Uptime;

/// A link without an event for this long counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(2);
/// Marks a link that cannot die unnoticed.
const FOREVER: u64 = u64::MAX;
/// Links whose word still counts: one is opened a second at most, and 3 s is how far back it matters.
const REMEMBERED: usize = 4;

/// Whether revocations reach this node.
///
/// Hits read two words and write none; one task writes them, the follower of the feed.
// Release, paired with the Acquire of `state` and `gap`: who sees a word sees what was written before
// it. That gives two orders. A link that comes up writes `signs`, then `alive_at`, then `since`: who
// reads the new `since` finds in `signs` what the links before it vouched for, and who reads the new
// `alive_at` with the old `since`, which is 0, trusts nothing. After a silence `since` comes first,
// so that who finds the link alive again finds the new `since`. One
// that went down writes `signs` and then clears `since`: who finds no link finds the gap, too. In
// another order a session would be confirmed once too often, or be trusted with a link that is dead.
#[derive(Default)]
pub(super) struct Link {
    /// Since which change of this node, without a gap; 0 while they do not.
    since: AtomicU64,
    /// When the last sign of life came.
    alive_at: AtomicU64,
    /// What is known where there is a gap: no hit looks at it while there is none.
    signs: ArcSwap<Signs>,
}

/// Until when revocations have been taken in.
#[derive(Clone, Copy, Default)]
struct Signs {
    /// The newest first.
    links: [Vouched; REMEMBERED],
    /// When the newest came up, or went down.
    changed_at: Uptime,
    /// When the newest heartbeat was answered.
    beat_at: Uptime,
}

/// What a link vouches for: what was read since, and not revoked until then, is live.
#[derive(Clone, Copy)]
struct Vouched {
    since: u64,
    /// When the last heartbeat but one was answered, whenever this node came to take it in. A
    /// heartbeat answers a request that was sent after the one before had come, and what was revoked
    /// up to the request comes before the answer; what was revoked later, and was lost with the
    /// link, was revoked after that.
    until: Uptime,
}

impl Default for Vouched {
    /// Vouches for nothing.
    fn default() -> Self {
        Self {
            since: u64::MAX,
            until: Uptime::default(),
        }
    }
}

impl Signs {
    /// A link came up: it vouches for what is read from now on, as the answer itself does.
    fn came_up(mut self, since: u64, now: Uptime) -> Self {
        self.links.rotate_right(1);
        self.links[0] = Vouched { since, until: now };
        Self {
            changed_at: now,
            beat_at: now,
            ..self
        }
    }

    fn went_down(self, now: Uptime) -> Self {
        Self {
            changed_at: now,
            ..self
        }
    }

    fn beat(mut self, answered: Uptime) -> Self {
        self.links[0].until = self.links[0].until.max(self.beat_at);
        Self {
            beat_at: answered,
            ..self
        }
    }
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

    /// What is known all the same of a session that was read before a gap.
    ///
    /// The newest link that is older than the read vouches for it, never a later one:
    /// a revocation in between was not announced by that one.
    pub(super) fn gap(&self, as_of: u64, now: Uptime) -> Gap {
        let signs = self.signs.load();
        let mut links = signs.links.iter();
        let link = links.find(|link| as_of >= link.since);
        let alive_at = Uptime::from_millis(self.alive_at.load(Ordering::Acquire));
        let began = match self.is_silent(now) {
            true => signs.changed_at.max(alive_at.after(DEAD_AFTER)),
            false => signs.changed_at,
        };
        Gap {
            vouched_until: link.map_or_else(Uptime::default, |link| link.until),
            began,
        }
    }

    pub(super) fn came_up(&self, since: u64, now: Uptime, has_heartbeat: bool) {
        let alive_at = if has_heartbeat {
            now.as_millis()
        } else {
            FOREVER
        };
        // Before `since`: who sees that this link is newer than a read finds what the links
        // before it vouch for.
        self.signs.rcu(|signs| signs.came_up(since, now));
        self.alive_at.store(alive_at, Ordering::Release);
        self.since.store(since, Ordering::Release);
    }

    pub(super) fn went_down(&self, now: Uptime) {
        self.signs.rcu(|signs| signs.went_down(now));
        self.since.store(0, Ordering::Release);
    }

    /// Notes a sign of life; after a silence the link counts as a new one, `since` now, and the
    /// answer is `true`.
    pub(super) fn alive(
        &self,
        since: impl FnOnce() -> u64,
        now: Uptime,
        answered: Option<Uptime>,
    ) -> bool {
        if self.alive_at.load(Ordering::Acquire) == FOREVER {
            return false;
        }
        let was_silent = self.is_silent(now);
        if was_silent {
            let since = since();
            self.signs.rcu(|signs| signs.came_up(since, now));
            self.since.store(since, Ordering::Release);
        } else if let Some(answered) = answered {
            self.signs.rcu(|signs| signs.beat(answered));
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

    fn beat(link: &Link, since: u64, now: Uptime) -> bool {
        link.alive(|| since, now, Some(now))
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
        assert!(!beat(&link, 8, at(2500)));
        assert_eq!(link.state(at(4500)), StoreState::Linked { since: 7 });
        assert!(beat(&link, 9, at(9000)));
        assert_eq!(link.state(at(9001)), StoreState::Linked { since: 9 });
        link.went_down(at(9001));
        assert_eq!(link.state(at(9001)), StoreState::Unlinked);
    }

    #[test]
    fn a_link_without_heartbeat_lives_until_it_ends_and_vouches_for_nothing_then() {
        let link = Link::default();
        link.came_up(7, at(1000), false);
        assert!(!beat(&link, 8, at(2000)));
        let much_later = at(1_000_000_000);
        assert_eq!(link.state(much_later), StoreState::Linked { since: 7 });
        link.went_down(much_later);
        assert_eq!(link.state(much_later), StoreState::Unlinked);
        assert_eq!(link.gap(7, much_later).vouched_until, at(1000));
    }

    #[test]
    fn a_link_vouches_until_its_last_heartbeat_but_one_for_what_was_asked_over_it() {
        let link = Link::default();
        link.came_up(7, at(1000), true);
        [1500, 2000, 2500]
            .iter()
            .for_each(|now| assert!(!beat(&link, 0, at(*now))));
        // Some master has announced a change: that says nothing of the others.
        assert!(!link.alive(|| 0, at(2700), None));
        link.went_down(at(2800));
        let gap = link.gap(7, at(2900));
        assert_eq!((gap.vouched_until, gap.began), (at(2000), at(2800)));
        assert_eq!(link.gap(6, at(2900)).vouched_until, at(0));

        link.came_up(9, at(3800), true);
        [4300, 4800]
            .iter()
            .for_each(|now| assert!(!beat(&link, 0, at(*now))));
        let gap = link.gap(7, at(4900));
        assert_eq!((gap.vouched_until, gap.began), (at(2000), at(3800)));
        assert_eq!(link.gap(8, at(4900)).vouched_until, at(2000));
    }

    #[test]
    fn a_silence_is_a_gap_from_when_the_link_counts_as_dead() {
        let link = Link::default();
        link.came_up(7, at(1000), true);
        [1500, 2000]
            .iter()
            .for_each(|now| assert!(!beat(&link, 0, at(*now))));
        let gap = link.gap(7, at(4100));
        assert_eq!((gap.vouched_until, gap.began), (at(1500), at(4000)));
        assert!(beat(&link, 8, at(4200)));
        let gap = link.gap(7, at(4300));
        assert_eq!((gap.vouched_until, gap.began), (at(1500), at(4200)));
    }

    #[test]
    fn a_link_vouches_up_to_when_its_heartbeats_were_answered_not_taken_in() {
        let link = Link::default();
        link.came_up(7, at(0), true);
        link.alive(|| 0, at(500), Some(at(500)));
        // Two that waited for a busy node.
        link.alive(|| 0, at(1900), Some(at(1000)));
        link.alive(|| 0, at(1900), Some(at(1500)));
        link.went_down(at(2000));
        assert_eq!(link.gap(7, at(2000)).vouched_until, at(1000));
    }
}
