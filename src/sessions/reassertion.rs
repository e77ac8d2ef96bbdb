use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::timeout;

use super::background::Turns;
use super::node::Node;
use super::prober::has_failed;
use crate::store::{Revoke, RevokeReason, SessionStore, StoreError, Target};
use crate::time::Uptime;
use crate::token::SessionId;

/// Pause after all that is left has failed.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// For how long an end is repeated to a store that may have lost it.
const REPEATED_FOR: Duration = Duration::from_secs(10 * 60);
/// Ends that are remembered for that, oldest out.
const REMEMBERED: usize = 10_000;

/// The sessions that the store has ended not long ago on this node's word.
///
/// A failover may lose what the old master has acknowledged last, and tells nobody. They are
/// remembered by name: a user may have logged in again meanwhile.
#[derive(Default)]
pub(super) struct Reassertions(Mutex<VecDeque<Ended>>);

struct Ended {
    at: Uptime,
    id: SessionId,
    reason: RevokeReason,
    /// Whether this node refuses the session until the store is told again.
    is_raised: bool,
}

impl Ended {
    fn revoke(&self) -> Revoke {
        Revoke::new(self.id, self.reason)
    }
}

impl Reassertions {
    pub(super) fn note(&self, revoke: &Revoke, ended: &[SessionId], now: Uptime) {
        let itself = match revoke.target {
            Target::Session(id) => Some(id),
            _ => None,
        };
        let itself = itself.filter(|id| !ended.contains(id));
        let mut remembered = self.lock();
        for id in ended.iter().copied().chain(itself) {
            let is_full = remembered.len() == REMEMBERED;
            if is_full && remembered.front().is_some_and(|oldest| oldest.is_raised) {
                return;
            }
            if is_full {
                remembered.pop_front();
            }
            remembered.push_back(Ended {
                at: now,
                id,
                reason: revoke.reason,
                is_raised: false,
            });
        }
    }

    /// What this node has to refuse by itself from now on, and does not yet.
    fn raise(&self, now: Uptime) -> Vec<Revoke> {
        let mut remembered = self.recent(now);
        let quiet = remembered.iter_mut().filter(|ended| !ended.is_raised);
        quiet
            .map(|ended| {
                ended.is_raised = true;
                ended.revoke()
            })
            .collect()
    }

    /// What is to be repeated now, oldest first.
    fn repeated(&self, now: Uptime) -> Vec<Revoke> {
        self.recent(now).iter().map(Ended::revoke).collect()
    }

    /// The store was told again; `true` if this node has refused the session by itself until then.
    fn settle(&self, revoke: &Revoke) -> bool {
        let mut remembered = self.lock();
        let mut raised = remembered.iter_mut().filter(|ended| ended.is_raised);
        let raised = raised.find(|ended| Target::Session(ended.id) == revoke.target);
        raised.is_some_and(|ended| mem::take(&mut ended.is_raised))
    }

    fn recent(&self, now: Uptime) -> MutexGuard<'_, VecDeque<Ended>> {
        let mut remembered = self.lock();
        remembered.retain(|ended| ended.is_raised || now.since(ended.at) < REPEATED_FOR);
        remembered
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Ended>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Node<S> {
    /// The link is lost, and with it the store's memory may be: what was ended stays ended here.
    pub(super) fn distrust_store(&self) {
        for revoke in self.reassertions.raise(self.clock.uptime()) {
            self.cache.revoking(&revoke);
        }
    }
}

impl<S: SessionStore> Node<S> {
    /// Repeats the ends of the last minutes, to a store that may be another one by now.
    pub(super) fn reassert_revocations(self: &Arc<Self>) {
        let revocations = self.reassertions.repeated(self.clock.uptime());
        if !revocations.is_empty() {
            let turns = self.background.revocation_turns();
            let repeat = repeat(Arc::downgrade(self), revocations.into(), turns);
            self.background.reasserter.restart(|| repeat);
        }
    }

    async fn repeat_revocation(self: &Arc<Self>, revoke: &Revoke) -> Result<(), StoreError> {
        let revoked = self.store.revoke(revoke.clone());
        let revoked = self.within_deadline(revoke.target.bucket(), revoked);
        let ended = revoked.await?;
        if self.reassertions.settle(revoke) {
            self.settle_revocation(revoke, &ended);
        } else {
            self.cache.changed(&ended);
        }
        Ok(())
    }
}

/// Goes on until the store was told of each, or the next link starts over.
async fn repeat<S: SessionStore>(
    node: Weak<Node<S>>,
    mut revocations: VecDeque<Revoke>,
    turns: Turns,
) {
    let mut failed_in_a_row = 0;
    while let Some(revoke) = revocations.pop_front() {
        let turn = turns.next().await;
        let Some(node) = node.upgrade() else {
            return;
        };
        let repeated = node.repeat_revocation(&revoke).await;
        if !has_failed(&repeated) {
            failed_in_a_row = 0;
            continue;
        }
        // It holds up no other: a part of the store may be down.
        revocations.push_back(revoke);
        failed_in_a_row += 1;
        if failed_in_a_row >= revocations.len() {
            failed_in_a_row = 0;
            let closed = node.breaker.closed();
            drop((node, turn));
            let _ = timeout(AGAIN_AFTER, closed).await;
        }
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
        assert_eq!(reassertions.repeated(last), [revoke(id(2)), revoke(id(1))]);
        assert_eq!(
            reassertions.repeated(last.after(Duration::from_millis(1))),
            []
        );
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let reassertions = Reassertions::default();
        for number in 0..=10_000 {
            reassertions.note(&revoke(id(number)), &[id(number)], Uptime::default());
        }
        let recent = reassertions.repeated(Uptime::default());
        assert_eq!(recent.len(), REMEMBERED);
        assert_eq!(recent[0], revoke(id(1)));
    }

    #[test]
    fn what_is_raised_is_raised_once_and_remembered_until_it_is_settled() {
        let reassertions = Reassertions::default();
        let [start, late] = [0, 3_600_000].map(Uptime::from_millis);
        reassertions.note(&revoke(id(1)), &[id(1)], start);
        assert_eq!(reassertions.raise(start), [revoke(id(1))]);
        assert_eq!(reassertions.raise(start), []);
        assert_eq!(reassertions.repeated(late), [revoke(id(1))]);
        assert!(reassertions.settle(&revoke(id(1))));
        assert!(!reassertions.settle(&revoke(id(1))));
        assert_eq!(reassertions.repeated(late), []);
    }
}
