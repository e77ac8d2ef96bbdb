use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{EndReason, Touch};
use crate::identity::Identity;
use crate::time::Timestamp;
use crate::token::SessionId;

/// For how long after an idle deadline a store takes in uses that could not be written before:
/// an outage of a night. The scripts of the Redis store know it, too.
pub(crate) const KEPT_FOR_LATE_USES: Duration = Duration::from_secs(6 * 60 * 60);

/// What a store keeps of one live session.
///
/// The fields are public for stores; handlers see a [`Session`](crate::Session).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
// What a handler reads comes first. The order is no promise.
#[repr(C)]
pub struct Record {
    /// Who logged in.
    pub identity: Identity,
    /// When the session ends however much it is used; a rotation keeps it.
    pub absolute_end: Timestamp,
    /// When the session ends if it is not used again, as far as the store knows.
    pub idle_deadline: Timestamp,
    /// The end of the grace that a rotation or a newer login left to this session.
    pub retires_at: Option<Timestamp>,
    /// How long the session may go unused.
    pub idle_timeout: Duration,
    /// When the user logged in; a rotation keeps it.
    pub issued_at: Timestamp,
    /// The last use that moved the idle deadline, which covers some later ones; `None` for a
    /// session never used.
    pub last_used: Option<Timestamp>,
    /// The session that took this one's place.
    pub successor: Option<SessionId>,
    /// The application's data, as JSON text.
    pub data: Option<Arc<str>>,
}

impl Record {
    /// A session issued at `now`, not used yet.
    #[must_use]
    pub fn issued(
        identity: Identity,
        now: Timestamp,
        lifetime: Duration,
        idle_timeout: Duration,
        data: Option<Arc<str>>,
    ) -> Self {
        Self {
            identity,
            issued_at: now,
            absolute_end: now.after(lifetime),
            idle_timeout,
            idle_deadline: now.after(idle_timeout),
            last_used: None,
            retires_at: None,
            successor: None,
            data,
        }
    }

    /// The record of the session that takes this one's place at `now`: same user, same absolute end.
    #[must_use]
    pub fn rotated(&self, now: Timestamp, data: Option<Arc<str>>) -> Self {
        Self {
            idle_deadline: now.after(self.idle_timeout),
            last_used: None,
            retires_at: None,
            successor: None,
            data: data.or_else(|| self.data.clone()),
            ..self.clone()
        }
    }

    /// Why the session is over at `now`, if it is. Replaced comes before absolute before idle.
    #[must_use]
    pub fn ended(&self, now: Timestamp) -> Option<EndReason> {
        if now >= self.hard_end() {
            Some(EndReason::of_hard_end(self.retires_at, now))
        } else if now >= self.idle_deadline {
            Some(EndReason::Idle)
        } else {
            None
        }
    }

    /// Whether a newer session has taken this one's place and this one lives on in its grace.
    #[must_use]
    pub const fn is_retired(&self) -> bool {
        self.retires_at.is_some()
    }

    /// When the session is over if nothing more happens to it.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.hard_end().min(self.idle_deadline)
    }

    /// When the session is over however much it is used.
    pub(crate) fn hard_end(&self) -> Timestamp {
        let retired = self.retires_at.unwrap_or(self.absolute_end);
        retired.min(self.absolute_end)
    }

    /// Until when a store says why the session ended: one idle timeout beyond the end. After that
    /// it is never seen, unless a late touch shows that it was in use.
    #[must_use]
    pub fn remembered_until(&self) -> Timestamp {
        self.end().after(self.idle_timeout)
    }

    /// Until when a store keeps the record, to take in a late touch: 6 hours beyond the idle
    /// deadline, or one idle timeout if that is longer, and no longer than one idle timeout beyond
    /// the end that no use moves.
    ///
    /// A session in use outlives a store that cannot be written for as long.
    #[must_use]
    pub fn kept_until(&self) -> Timestamp {
        let idle = self
            .idle_deadline
            .after(self.idle_timeout.max(KEPT_FOR_LATE_USES));
        idle.min(self.hard_end().after(self.idle_timeout))
    }

    /// How long the session was good for, unused, when it was issued or rotated.
    #[must_use]
    pub fn lasts_unused(&self) -> Duration {
        let beyond_the_end = self.idle_deadline.since(self.absolute_end);
        self.idle_timeout.saturating_sub(beyond_the_end)
    }

    /// Takes in uses at the store's `now`; the idle deadline then, `None` if the session had ended.
    ///
    /// A use that the recorded deadline covers changes nothing: another node's touch was enough.
    pub fn touch(&mut self, touch: &Touch, now: Timestamp) -> Option<Timestamp> {
        // A node whose clock is ahead must not prolong a session beyond what the store measures,
        // and would come again at once if the answer was that this use is covered.
        let used_at = touch.used_at.min(now);
        // Between the two the session was in use, whatever is recorded.
        let since = touch.since.min(used_at);
        let accepted =
            now < self.kept_until() && since <= self.idle_deadline && used_at < self.hard_end();
        let needed = touch.used_at.after(self.idle_timeout);
        if accepted && self.idle_deadline <= needed {
            let deadline = used_at.after(self.idle_timeout).after(touch.slack);
            self.idle_deadline = self.idle_deadline.max(deadline);
            self.last_used = self.last_used.max(Some(used_at));
        }
        accepted.then_some(self.idle_deadline)
    }

    /// Leaves the session a grace until `end`, after which `successor` stands in its place.
    pub fn retire(&mut self, end: Timestamp, successor: SessionId) {
        self.retires_at = Some(end);
        self.successor = Some(successor);
    }
}
