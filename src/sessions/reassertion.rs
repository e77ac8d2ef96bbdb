use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::node::Node;
use crate::SessionId;
use crate::store::{Revoke, RevokeReason, SessionStore, StoreErrorKind, Target};
use crate::time::Uptime;

/// For how long an end is repeated to a store that may have lost it.
const REPEATED_FOR: Duration = Duration::from_secs(10 * 60);
/// Ends that are remembered for that, oldest out.
const REMEMBERED: usize = 10_000;

/// The sessions that the store has ended not long ago on this node's word.
///
/// A failover may lose what the old master has acknowledged last, and tells nobody. They are
/// remembered by name: a user may have logged in again meanwhile.
#[derive(Default)]
pub(super) struct Reassertions(Mutex<VecDeque<(Uptime, SessionId, RevokeReason)>>);

impl Reassertions {
    pub(super) fn note(&self, revoke: &Revoke, ended: &[SessionId], now: Uptime) {
        let itself = match revoke.target {
            Target::Session(id) => Some(id),
            _ => None,
        };
        let itself = itself.filter(|id| !ended.contains(id));
        let mut remembered = self.lock();
        for id in ended.iter().copied().chain(itself) {
            if remembered.len() == REMEMBERED {
                remembered.pop_front();
            }
            remembered.push_back((now, id, revoke.reason));
        }
    }

    /// What is to be repeated now, oldest first.
    fn recent(&self, now: Uptime) -> Vec<Revoke> {
        let mut remembered = self.lock();
        remembered.retain(|(at, ..)| now.since(*at) < REPEATED_FOR);
        let recent = remembered.iter();
        recent
            .map(|(_, id, reason)| Revoke::new(*id, *reason))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Uptime, SessionId, RevokeReason)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: SessionStore> Node<S> {
    /// Repeats the ends of the last minutes, to a store that may be another one by now.
    pub(super) fn reassert_revocations(self: &Arc<Self>) {
        let revocations = self.reassertions.recent(self.clock.uptime());
        if !revocations.is_empty() {
            let repeat = repeat(Arc::downgrade(self), revocations);
            self.background.reasserter.restart(|| repeat);
        }
    }
}

/// Ends where the store is down: the next link starts over.
async fn repeat<S: SessionStore>(node: Weak<Node<S>>, revocations: Vec<Revoke>) {
    for revoke in revocations {
        let Some(node) = node.upgrade() else {
            return;
        };
        let _turn = node.background.turn_to_revoke().await;
        match node.within_deadline(node.store.revoke(revoke)).await {
            Ok(ended) => node.cache.changed(&ended),
            Err(error) if error.kind() == StoreErrorKind::Unavailable => return,
            Err(_) => {}
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
        assert_eq!(reassertions.recent(last), [revoke(id(2)), revoke(id(1))]);
        assert_eq!(
            reassertions.recent(last.after(Duration::from_millis(1))),
            []
        );
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let reassertions = Reassertions::default();
        for number in 0..=10_000 {
            reassertions.note(&revoke(id(number)), &[id(number)], Uptime::default());
        }
        let recent = reassertions.recent(Uptime::default());
        assert_eq!(recent.len(), REMEMBERED);
        assert_eq!(recent[0], revoke(id(1)));
    }
}
