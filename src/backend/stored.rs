//! What a store keeps of a session, and what that means later.

use crate::session::{EndReason, Record};
use crate::store::Loaded;
use crate::time::Timestamp;

/// What is kept under a session's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// A session that was not revoked; whether it has expired is up to the record.
    Kept(Record),
    /// Why a session was revoked, in the place of its record.
    Revoked {
        reason: EndReason,
        at: Timestamp,
        until: Timestamp,
    },
}

impl Stored {
    /// What takes the place of a record when its session is revoked.
    pub(super) fn revoked(record: &Record, reason: EndReason, at: Timestamp) -> Self {
        let until = record.absolute_end.max(record.kept_until());
        Self::Revoked { reason, at, until }
    }

    /// The record, unless the session was revoked.
    pub(super) const fn record(&self) -> Option<&Record> {
        match self {
            Self::Kept(record) => Some(record),
            Self::Revoked { .. } => None,
        }
    }

    /// Until when this is kept; after that it is never seen.
    pub(super) fn kept_until(&self) -> Timestamp {
        match self {
            Self::Kept(record) => record.kept_until(),
            Self::Revoked { until, .. } => *until,
        }
    }

    /// What this means at the store's `now`.
    pub(super) fn loaded(self, now: Timestamp) -> Loaded {
        match self {
            Self::Revoked { until, .. } if now >= until => Loaded::NeverSeen,
            Self::Revoked { reason, at, .. } => Loaded::Ended { reason, at },
            Self::Kept(record) => match record.ended(now) {
                Some(_) if now >= record.remembered_until() => Loaded::NeverSeen,
                Some(reason) => Loaded::Ended {
                    reason,
                    at: record.end(),
                },
                None => Loaded::Live(record),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::Identity;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn record(now: Timestamp) -> Record {
        Record::issued(Identity::new("appid", "openid"), now, DAY, HOUR, None)
    }

    #[test]
    fn a_record_is_live_then_over_then_forgotten_and_still_kept() {
        let now = Timestamp::from_millis(1);
        let kept = Stored::Kept(record(now));
        let ended = |reason, at| Loaded::Ended { reason, at };
        assert_eq!(kept.clone().loaded(now), Loaded::Live(record(now)));
        let idle = now.after(HOUR);
        assert_eq!(
            kept.clone().loaded(idle),
            ended(EndReason::Idle, idle),
            "for one more idle timeout"
        );
        let forgotten = idle.after(HOUR);
        assert_eq!(kept.clone().loaded(forgotten), Loaded::NeverSeen);
        assert!(forgotten < kept.kept_until(), "a late touch is taken in");
    }

    #[test]
    fn a_reason_is_kept_until_the_absolute_end_and_as_long_as_the_record() {
        let now = Timestamp::from_millis(1);
        let reason = EndReason::KickedOut;
        let revoked = Stored::revoked(&record(now), reason, now);
        let end = now.after(DAY);
        assert_eq!(revoked.kept_until(), end);
        assert_eq!(revoked.record(), None);
        let ended = Loaded::Ended { reason, at: now };
        assert_eq!(revoked.clone().loaded(now), ended);
        assert_eq!(revoked.loaded(end), Loaded::NeverSeen);

        let short = Record::issued(Identity::new("appid", "openid"), now, HOUR, HOUR, None);
        let revoked = Stored::revoked(&short, reason, now);
        assert_eq!(revoked.kept_until(), short.kept_until());
    }
}
