use std::collections::VecDeque;
use std::mem;
use std::sync::MutexGuard;
use std::time::Duration;

use crate::store::{Revoke, RevokeReason, Target};
use crate::sync::Lock;
use crate::time::Uptime;
use crate::token::SessionId;

/// For how long an end is repeated to a store that may have lost it.
const REPEATED_FOR: Duration = Duration::from_secs(10 * 60);
/// Ends that are remembered for that, oldest out.
const REMEMBERED: usize = 10_000;

/// The sessions that the store has ended not long ago on this node's word.
///
/// A failover may lose what the old master has acknowledged last, and nobody learns of it. They are
/// remembered by name: a user may have logged in again meanwhile.
#[derive(Default)]
pub(super) struct Reassertions(Lock<VecDeque<Ended>>);

struct Ended {
    at: Uptime,
    id: SessionId,
    reason: RevokeReason,
    /// Whether the store may have lost it: this node refuses the session until it is written again.
    is_suspect: bool,
}

impl Ended {
    fn revoke(&self) -> Revoke {
        Revoke::new(self.id, self.reason)
    }
}

impl Reassertions {
    pub(super) fn note(&self, revoke: &Revoke, ended: &[SessionId], now: Uptime) {
        let itself = revoke.target.session();
        let itself = itself.filter(|id| !ended.contains(id));
        let mut remembered = self.lock();
        for id in ended.iter().copied().chain(itself) {
            let is_full = remembered.len() == REMEMBERED;
            if is_full && remembered.front().is_some_and(|oldest| oldest.is_suspect) {
                return;
            }
            if is_full {
                remembered.pop_front();
            }
            remembered.push_back(Ended {
                at: now,
                id,
                reason: revoke.reason,
                is_suspect: false,
            });
        }
    }

    /// What this node has to refuse by itself from now on, and does not yet.
    pub(super) fn suspect(&self, now: Uptime) -> Vec<Revoke> {
        let mut remembered = self.recent(now);
        let quiet = remembered.iter_mut().filter(|ended| !ended.is_suspect);
        quiet
            .map(|ended| {
                ended.is_suspect = true;
                ended.revoke()
            })
            .collect()
    }

    /// What is to be repeated now, oldest first.
    pub(super) fn due(&self, now: Uptime) -> Vec<Revoke> {
        self.recent(now).iter().map(Ended::revoke).collect()
    }

    /// It was written again; `true` if this node has refused the session by itself until then.
    pub(super) fn settle(&self, revoke: &Revoke) -> bool {
        let mut remembered = self.lock();
        let mut suspects = remembered.iter_mut().filter(|ended| ended.is_suspect);
        let suspect = suspects.find(|ended| Target::Session(ended.id) == revoke.target);
        suspect.is_some_and(|ended| mem::take(&mut ended.is_suspect))
    }

    fn recent(&self, now: Uptime) -> MutexGuard<'_, VecDeque<Ended>> {
        let mut remembered = self.lock();
        remembered.retain(|ended| ended.is_suspect || now.since(ended.at) < REPEATED_FOR);
        remembered
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Ended>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(number: u16) -> SessionId {
        let [a, b] = number.to_be_bytes();
        SessionId::from_bytes([a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    fn revoke(id: SessionId) -> Revoke {
        Revoke::new(id, RevokeReason::LoggedOut)
    }

    #[test]
    fn an_end_is_repeated_for_ten_minutes() {
        let reassertions = Reassertions::default();
        reassertions.note(&revoke(id(1)), &[id(2)], Uptime::from_millis(0));
        let last = Uptime::from_millis(10 * 60 * 1000 - 1);
        assert_eq!(reassertions.due(last), [revoke(id(2)), revoke(id(1))]);
        assert_eq!(reassertions.due(last.after(Duration::from_millis(1))), []);
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let reassertions = Reassertions::default();
        for number in 0..=10_000 {
            reassertions.note(&revoke(id(number)), &[id(number)], Uptime::default());
        }
        let recent = reassertions.due(Uptime::default());
        assert_eq!(recent.len(), REMEMBERED);
        assert_eq!(recent[0], revoke(id(1)));
    }

    #[test]
    fn what_is_suspect_is_suspect_once_and_remembered_until_it_is_settled() {
        let reassertions = Reassertions::default();
        let [start, late] = [0, 3_600_000].map(Uptime::from_millis);
        reassertions.note(&revoke(id(1)), &[id(1)], start);
        assert_eq!(reassertions.suspect(start), [revoke(id(1))]);
        assert_eq!(reassertions.suspect(start), []);
        assert_eq!(reassertions.due(late), [revoke(id(1))]);
        assert!(reassertions.settle(&revoke(id(1))));
        assert!(!reassertions.settle(&revoke(id(1))));
        assert_eq!(reassertions.due(late), []);
    }
}
