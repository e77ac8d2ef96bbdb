use std::time::Duration;

use super::{EndReason, Unusual};
use crate::time::{Moment, Timestamp, Uptime};

/// What is known of a session on this node, as far as a decision needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// Says why it is over. Borrowed as it is, because a hit does not read it.
    pub(crate) unusual: &'a Option<Box<Unusual>>,
    /// Retirement or the absolute end, whichever comes first.
    pub(crate) hard_end: Timestamp,
    pub(crate) idle_deadline: Timestamp,
    /// When what is known was read, by this node's clock
    pub(crate) confirmed_at: Uptime,
    /// and by its number of changes.
    pub(crate) as_of: u64,
}

impl Facts<'_> {
    /// Why the session is over, now that its hard end has passed.
    #[cold]
    fn hard_end_reason(&self, now: Timestamp) -> EndReason {
        let retires_at = self.unusual.as_ref().and_then(|own| own.retires_at);
        EndReason::of_hard_end(retires_at, now)
    }
}

/// How far the store stands behind the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreState {
    /// Revocations reach this node, and have without a gap for what was read `since`.
    Linked { since: u64 },
    /// Revocations may not reach this node.
    Unlinked,
    /// The facts are the store's answer to this very request, and it calls the session live.
    Answered,
    /// The store was read for this very request and is unavailable.
    Silent,
}

/// A time in which revocations may have missed this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// What was read before has taken in all revocations until then, or until it was read.
    pub(crate) vouched_until: Uptime,
    /// When the link ended, or came up again: from then on sessions are confirmed.
    pub(crate) began: Uptime,
}

/// Which part of the time that is left to it passes before a session is confirmed, of 65 535:
/// another one for each, so that they are not read all at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(pub(crate) u16);

impl Gap {
    /// Until when facts are good: nothing that was revoked after they were vouched for is missed
    /// for longer than without a link.
    fn good_until(self, confirmed_at: Uptime, freshness: &Freshness) -> Uptime {
        let vouched = self.vouched_until.after(freshness.unlinked);
        let vouched = vouched.min(confirmed_at.after(freshness.linked));
        vouched.max(confirmed_at.after(freshness.unlinked))
    }

    fn judge(self, share: Share, good_until: Uptime, now: Uptime) -> Verdict {
        if now >= good_until {
            return Verdict::Confirm;
        }
        let left = good_until.since(self.began);
        let wait = left / u32::from(u16::MAX) * u32::from(share.0);
        Verdict::Valid {
            refresh: now >= self.began.after(wait),
        }
    }
}

/// How long facts are good for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    /// Without a read, while revocations reach this node.
    pub(crate) linked: Duration,
    /// Without a read, while they may not.
    pub(crate) unlinked: Duration,
    /// While the store is unavailable.
    pub(crate) grace: Duration,
}

impl Freshness {
    /// How long facts are good for anything: later the store is
    /// read whatever they are, and if it is unavailable, they do not help.
    ///
    /// Sessions in use are confirmed before. One minute is the least, for clocks that do not agree.
    pub(crate) fn useful_for(&self) -> Duration {
        const LEAST: Duration = Duration::from_secs(60);
        let longest = self.linked.max(self.unlinked).max(self.grace);
        longest.max(LEAST)
    }
}

/// The decision about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Valid {
        /// The facts are about to get stale: confirm them in the background.
        refresh: bool,
    },
    Invalid(EndReason),
    /// Ask the store, then decide again.
    Confirm,
    /// The store is unavailable, and the facts are too old or do not suffice.
    Unknown,
}

/// Decides about a session from what is known, at `now`.
///
/// What the store has just said is not doubted. Otherwise retirement and the absolute end are
/// final: nothing moves them. The idle deadline is not, because another node may have seen a use
/// that this one does not know of.
#[inline]
pub(crate) fn decide(
    facts: &Facts<'_>,
    now: Moment,
    store: StoreState,
    freshness: &Freshness,
) -> Verdict {
    if store == StoreState::Answered {
        return Verdict::Valid { refresh: false };
    }
    if now.fleet >= facts.hard_end {
        return Verdict::Invalid(facts.hard_end_reason(now.fleet));
    }
    let idle = now.fleet >= facts.idle_deadline;
    let is_within = |span| now.local < facts.confirmed_at.after(span);
    match store {
        StoreState::Silent if idle || !is_within(freshness.grace) => Verdict::Unknown,
        StoreState::Silent | StoreState::Answered => Verdict::Valid { refresh: false },
        StoreState::Linked { .. } | StoreState::Unlinked if idle => Verdict::Confirm,
        StoreState::Linked { since } if facts.as_of >= since && is_within(freshness.linked) => {
            Verdict::Valid {
                refresh: !is_within(freshness.linked - freshness.linked / 5),
            }
        }
        StoreState::Unlinked if is_within(freshness.unlinked) => Verdict::Valid { refresh: false },
        StoreState::Linked { .. } | StoreState::Unlinked => Verdict::Confirm,
    }
}

/// Decides about a session that is to be confirmed because of a gap.
pub(crate) fn decide_in_gap(
    facts: &Facts<'_>,
    now: Moment,
    gap: Gap,
    share: Share,
    freshness: &Freshness,
) -> Verdict {
    let verdict = decide(facts, now, StoreState::Unlinked, freshness);
    if matches!(verdict, Verdict::Invalid(_)) || now.fleet >= facts.idle_deadline {
        return verdict;
    }
    let good_until = gap.good_until(facts.confirmed_at, freshness);
    gap.judge(share, good_until, now.local)
}

#[cfg(test)]
mod tests {
    use super::super::Record;
    use super::StoreState::{Answered, Linked, Silent, Unlinked};
    use super::Verdict::{Confirm, Invalid, Unknown};
    use super::*;
    use crate::identity::Identity;

    const FRESHNESS: Freshness = Freshness {
        linked: Duration::from_secs(30),
        unlinked: Duration::from_secs(3),
        grace: Duration::from_secs(60),
    };
    const VALID: Verdict = Verdict::Valid { refresh: false };
    const REFRESH: Verdict = Verdict::Valid { refresh: true };
    const LINKED: StoreState = Linked { since: 1 };

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// An instant at which both clocks show the same.
    const fn moment(millis: u64) -> Moment {
        Moment {
            fleet: at(millis),
            local: Uptime::from_millis(millis),
        }
    }

    /// Far from every end; confirmed at 100 s.
    fn live() -> Record {
        let (lifetime, idle_timeout) =
            (Duration::from_secs(1_000_000), Duration::from_secs(500_000));
        let alice = Identity::new("appid", "alice");
        Record::issued(alice, at(0), lifetime, idle_timeout, None)
    }

    /// What is known of a record that was confirmed at 100 s.
    fn with_facts<T>(record: &Record, judge: impl FnOnce(&Facts<'_>) -> T) -> T {
        judge(&Facts {
            unusual: &Unusual::of(record),
            hard_end: record.hard_end(),
            idle_deadline: record.idle_deadline,
            confirmed_at: Uptime::from_millis(100_000),
            as_of: 1,
        })
    }

    fn decide(record: &Record, now: Moment, store: StoreState, freshness: &Freshness) -> Verdict {
        with_facts(record, |facts| super::decide(facts, now, store, freshness))
    }

    fn decide_in_gap(
        record: &Record,
        now: Moment,
        (gap, share): (Gap, Share),
        freshness: &Freshness,
    ) -> Verdict {
        with_facts(record, |facts| {
            super::decide_in_gap(facts, now, gap, share, freshness)
        })
    }

    #[track_caller]
    fn table(record: &Record, rows: &[(u64, [Verdict; 4])]) {
        for (now, verdicts) in rows {
            for (store, verdict) in [LINKED, Unlinked, Answered, Silent]
                .into_iter()
                .zip(verdicts)
            {
                let decided = decide(record, moment(*now), store, &FRESHNESS);
                assert_eq!(decided, *verdict, "at {now} with the store {store:?}");
            }
        }
    }

    #[test]
    fn a_live_session_is_as_good_as_its_last_confirmation() {
        table(
            &live(),
            &[
                // A clock that was set back makes facts look fresh, never old.
                (99_999, [VALID, VALID, VALID, VALID]),
                (100_000, [VALID, VALID, VALID, VALID]),
                (102_999, [VALID, VALID, VALID, VALID]),
                (103_000, [VALID, Confirm, VALID, VALID]),
                (123_999, [VALID, Confirm, VALID, VALID]),
                (124_000, [REFRESH, Confirm, VALID, VALID]),
                (129_999, [REFRESH, Confirm, VALID, VALID]),
                (130_000, [Confirm, Confirm, VALID, VALID]),
                (159_999, [Confirm, Confirm, VALID, VALID]),
                (160_000, [Confirm, Confirm, VALID, Unknown]),
            ],
        );
    }

    #[test]
    fn an_idle_session_is_live_if_the_store_says_so_and_never_refused_without_its_word() {
        let record = Record {
            idle_deadline: at(101_000),
            ..live()
        };
        table(
            &record,
            &[
                (100_999, [VALID, VALID, VALID, VALID]),
                (101_000, [Confirm, Confirm, VALID, Unknown]),
                (999_999_999, [Confirm, Confirm, VALID, Unknown]),
            ],
        );
    }

    /// The columns for an end that needs no store, unless it has just said otherwise.
    const fn final_end(reason: EndReason) -> [Verdict; 4] {
        let end = Invalid(reason);
        [end, end, VALID, end]
    }

    #[test]
    fn the_absolute_end_needs_no_store() {
        let record = Record {
            absolute_end: at(101_000),
            idle_deadline: at(101_000),
            ..live()
        };
        table(
            &record,
            &[
                (100_999, [VALID; 4]),
                (101_000, final_end(EndReason::Expired)),
            ],
        );
    }

    #[test]
    fn a_retired_session_is_replaced_when_its_grace_is_over() {
        let record = Record {
            absolute_end: at(101_000),
            idle_deadline: at(101_000),
            retires_at: Some(at(100_500)),
            ..live()
        };
        table(
            &record,
            &[
                (100_499, [VALID; 4]),
                (100_500, final_end(EndReason::Replaced)),
                (101_000, final_end(EndReason::Replaced)),
            ],
        );
    }

    #[test]
    fn nothing_from_before_the_link_is_trusted_unconfirmed() {
        let decided = |since| decide(&live(), moment(100_001), Linked { since }, &FRESHNESS);
        assert_eq!(decided(1), VALID);
        assert_eq!(decided(2), Confirm);
    }

    /// In a gap that began at 110 s, vouched for until then.
    fn in_gap(vouched_until: u64, share: u16) -> (Gap, Share) {
        let gap = Gap {
            vouched_until: Uptime::from_millis(vouched_until),
            began: Uptime::from_millis(110_000),
        };
        (gap, Share(share))
    }

    #[track_caller]
    fn gap_table(record: &Record, gap: (Gap, Share), rows: &[(u64, Verdict)]) {
        for (now, verdict) in rows {
            let decided = decide_in_gap(record, moment(*now), gap, &FRESHNESS);
            assert_eq!(decided, *verdict, "at {now} with {gap:?}");
        }
    }

    #[test]
    fn what_was_vouched_for_is_good_for_three_seconds_and_confirmed_at_its_part_of_them() {
        let live = live();
        for (share, due) in [(0, 110_000), (0x8000, 111_250), (0xffff, 112_499)] {
            let rows = [
                (due - 1, VALID),
                (due, REFRESH),
                (112_499, REFRESH),
                (112_500, Confirm),
                (129_999, Confirm),
            ];
            gap_table(&live, in_gap(109_500, share), &rows);
        }
    }

    #[test]
    fn what_nobody_vouches_for_is_good_for_three_seconds_after_its_confirmation() {
        let gap = |began| {
            let gap = Gap {
                vouched_until: Uptime::default(),
                began: Uptime::from_millis(began),
            };
            (gap, Share(0x8000))
        };
        let rows = [(100_000, VALID), (102_999, REFRESH), (103_000, Confirm)];
        gap_table(&live(), gap(100_000), &rows);
        gap_table(&live(), gap(200_000), &[(200_000, Confirm)]);
    }

    #[test]
    fn nothing_that_is_vouched_for_is_good_beyond_fresh_for_or_its_end() {
        let rows = [(129_999, REFRESH), (130_000, Confirm)];
        gap_table(&live(), in_gap(129_500, 0), &rows);
        let idle = Record {
            idle_deadline: at(110_500),
            ..live()
        };
        gap_table(&idle, in_gap(109_500, 0), &[(110_500, Confirm)]);
        let retired = Record {
            retires_at: Some(at(110_500)),
            ..live()
        };
        let replaced = Invalid(EndReason::Replaced);
        gap_table(&retired, in_gap(109_500, 0), &[(110_500, replaced)]);
    }

    #[test]
    fn endless_spans_overflow_nothing() {
        let endless = Freshness {
            linked: Duration::MAX,
            unlinked: Duration::MAX,
            grace: Duration::MAX,
        };
        for share in [0, u16::MAX] {
            let decided = decide_in_gap(&live(), moment(111_000), in_gap(0, share), &endless);
            assert_eq!(
                decided,
                Verdict::Valid {
                    refresh: share == 0
                }
            );
        }
    }

    #[test]
    fn a_step_of_the_store_s_clock_makes_nothing_fresher_or_older() {
        for fleet in [at(0), at(100_000), at(499_999_999)] {
            let now = |local| Moment {
                fleet,
                local: Uptime::from_millis(local),
            };
            assert_eq!(decide(&live(), now(100_001), LINKED, &FRESHNESS), VALID);
            assert_eq!(decide(&live(), now(130_000), LINKED, &FRESHNESS), Confirm);
            assert_eq!(decide(&live(), now(160_000), Silent, &FRESHNESS), Unknown);
        }
    }

    #[test]
    fn without_grace_a_silent_store_means_unknown() {
        let strict = Freshness {
            grace: Duration::ZERO,
            ..FRESHNESS
        };
        assert_eq!(decide(&live(), moment(100_000), Silent, &strict), Unknown);
    }
}
