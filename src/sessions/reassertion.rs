use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::node::Node;
use crate::store::{Revoke, SessionStore};
use crate::time::Uptime;

/// For how long a revocation is repeated to a store that may have lost it.
const REPEATED_FOR: Duration = Duration::from_secs(10 * 60);
/// Revocations that are remembered for that, oldest out.
const REMEMBERED: usize = 10_000;

/// The revocations that the store has acknowledged not long ago.
///
/// A failover may lose what the old master has acknowledged last, and tells nobody.
#[derive(Default)]
pub(super) struct Acknowledged(Mutex<VecDeque<(Uptime, Revoke)>>);

impl Acknowledged {
    pub(super) fn note(&self, revoke: Revoke, now: Uptime) {
        let mut revocations = self.lock();
        if revocations.len() == REMEMBERED {
            revocations.pop_front();
        }
        revocations.push_back((now, revoke));
    }

    /// What is to be repeated now, oldest first.
    fn recent(&self, now: Uptime) -> Vec<Revoke> {
        let mut revocations = self.lock();
        revocations.retain(|(at, _)| now.since(*at) < REPEATED_FOR);
        revocations
            .iter()
            .map(|(_, revoke)| revoke.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Uptime, Revoke)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: SessionStore> Node<S> {
    /// Repeats the revocations of the last minutes, to a store that may be another one by now.
    pub(super) fn reassert_revocations(self: &Arc<Self>) {
        let revocations = self.acknowledged.recent(self.clock.uptime());
        if !revocations.is_empty() {
            tokio::spawn(repeat(Arc::downgrade(self), revocations));
        }
    }
}

/// Ends where the store fails: the next link starts over.
async fn repeat<S: SessionStore>(node: Weak<Node<S>>, revocations: Vec<Revoke>) {
    for revoke in revocations {
        let Some(node) = node.upgrade() else {
            return;
        };
        let _turn = node.background.turn_to_revoke().await;
        if node.write_revocation(&revoke).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, store::RevokeReason};

    #[test]
    fn a_revocation_is_repeated_for_ten_minutes() {
        let acknowledged = Acknowledged::default();
        let revoke = Revoke::new(Identity::new("appid", "openid"), RevokeReason::LoggedOut);
        acknowledged.note(revoke.clone(), Uptime::from_millis(0));
        let last = Uptime::from_millis(10 * 60 * 1000 - 1);
        assert_eq!(acknowledged.recent(last), [revoke]);
        assert_eq!(
            acknowledged.recent(last.after(Duration::from_millis(1))),
            []
        );
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let acknowledged = Acknowledged::default();
        for user in 0..=REMEMBERED {
            let user = Identity::new("appid", user.to_string());
            acknowledged.note(
                Revoke::new(user, RevokeReason::LoggedOut),
                Uptime::default(),
            );
        }
        let recent = acknowledged.recent(Uptime::default());
        assert_eq!(recent.len(), REMEMBERED);
        let second = Revoke::new(Identity::new("appid", "1"), RevokeReason::LoggedOut);
        assert_eq!(recent[0], second);
    }
}
