//! Repeats the ends of the last minutes over a new link: a failover may have lost them.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::timeout;

use super::Node;
use super::turns::Turns;
use crate::store::{Revoke, SessionStore, StoreError};

/// Pause after all that is left has failed.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

impl<S> Node<S> {
    /// The link is lost, and with it the store's memory may be: what was ended stays ended here.
    pub(super) fn distrust_store(&self) {
        for revoke in self.reassertions.suspect(self.clock.uptime()) {
            self.cache.revoking(&revoke);
        }
    }
}

impl<S: SessionStore> Node<S> {
    /// Repeats the ends of the last minutes, to a store that may be another one by now.
    pub(super) fn reassert_revocations(self: &Arc<Self>) {
        let revocations = self.reassertions.due(self.clock.uptime());
        if !revocations.is_empty() {
            let turns = self.revocations.turns.clone();
            let repeat = repeat(Arc::downgrade(self), revocations.into(), turns);
            self.tasks.reasserter.restart(|| repeat);
        }
    }

    async fn repeat_revocation(self: &Arc<Self>, revoke: &Revoke) -> Result<(), StoreError> {
        let ended = self.write_end(revoke).await?;
        if self.reassertions.settle(revoke) {
            self.settle_revocation(revoke, &ended);
        } else {
            self.cache.changed(&ended);
        }
        Ok(())
    }
}

/// Goes on until each is written, or the next link starts over.
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
        if !repeated.is_err_and(|error| error.is_unavailable()) {
            failed_in_a_row = 0;
            continue;
        }
        // It holds up no other: a part of the store may be down.
        revocations.push_back(revoke);
        failed_in_a_row += 1;
        if failed_in_a_row >= revocations.len() {
            failed_in_a_row = 0;
            let closed = node.upstream.closed();
            drop((node, turn));
            let _ = timeout(AGAIN_AFTER, closed).await;
        }
    }
}
