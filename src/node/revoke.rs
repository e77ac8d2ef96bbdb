//! Ends sessions: on this node at once, in the store now or as soon as it answers again.

use std::sync::Arc;
use std::time::Duration;

use super::Node;
use super::pending::Permit;
use super::revocation::Revocation;
use crate::observe::{meter, trace};
use crate::rejection::Rejection;
use crate::store::{Revoke, RevokeReason, SessionStore, StoreError, Target};
use crate::token::SessionId;

/// A revocation that reaches the store late spares sessions issued later than this after it
/// began: enough for nodes whose clocks differ.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// A revocation that holds on this node, with the right to have it pending if there is room.
/// Dropped before the store has it, as with the end of its runtime, it is pending.
pub(crate) struct Revoking<S: SessionStore> {
    node: Arc<Node<S>>,
    revoke: Revoke,
    permit: Option<Permit>,
}

impl<S: SessionStore> Drop for Revoking<S> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.node.leave_to_next_writer(&self.revoke, permit);
        }
    }
}

impl<S: SessionStore> Node<S> {
    /// Ends sessions on this node at once. [`finish_revoking`](Self::finish_revoking) has to follow.
    pub(crate) fn start_revoking(
        self: &Arc<Self>,
        target: Target,
        reason: RevokeReason,
    ) -> Revoking<S> {
        self.start();
        let permit = self.revocations.enter();
        let knows_the_time = self.has_store_clock.initialized();
        let revoke = Revoke {
            issued_by: knows_the_time.then(|| self.clock.now().after(CLOCK_SKEW)),
            ..Revoke::new(target, reason)
        };
        self.cache.revoking(&revoke);
        Revoking {
            node: Arc::clone(self),
            revoke,
            permit,
        }
    }

    /// Ends sessions in the store, now or later.
    pub(crate) fn finish_revoking(
        self: Arc<Self>,
        revoking: Revoking<S>,
    ) -> impl Future<Output = Result<Revocation, Rejection>> + Send {
        trace::inherit(self.revoke_and_count(revoking))
    }

    async fn revoke_and_count(
        self: Arc<Self>,
        revoking: Revoking<S>,
    ) -> Result<Revocation, Rejection> {
        let revocation = trace::revocation_span(self.write_or_postpone(revoking)).await;
        meter::revocation(match &revocation {
            Ok(Revocation::Done(_)) => "done",
            Ok(Revocation::Pending) => "pending",
            Err(_) => "failed",
        });
        revocation
    }

    async fn write_or_postpone(
        self: &Arc<Self>,
        mut revoking: Revoking<S>,
    ) -> Result<Revocation, Rejection> {
        let written = self
            .write_revocation(&revoking.revoke, &revoking.revoke)
            .await;
        let permit = revoking.permit.take();
        match (written, permit) {
            (Ok(ended), _) => Ok(Revocation::Done(ended)),
            (Err(error), Some(permit)) => {
                trace::revocation_pending(&error, self.revocations.waiting() == 0);
                self.postpone(&revoking.revoke, permit);
                Ok(Revocation::Pending)
            }
            (Err(error), None) => {
                self.cache
                    .not_revoked(&revoking.revoke, self.clock.uptime());
                Err(error.into())
            }
        }
    }

    /// Writes a revocation, `dated` if it comes late, and takes in that the store has it.
    pub(super) async fn write_revocation(
        self: &Arc<Self>,
        revoke: &Revoke,
        dated: &Revoke,
    ) -> Result<usize, StoreError> {
        let ended = self.write_end(dated).await?;
        self.settle_revocation(revoke, &ended);
        self.reassertions.note(dated, &ended, self.clock.uptime());
        Ok(ended.len())
    }

    pub(super) async fn write_end(&self, revoke: &Revoke) -> Result<Vec<SessionId>, StoreError> {
        let (bucket, revoke) = (revoke.target.bucket(), revoke.clone());
        let ended = (self.upstream).write(bucket, |store| store.revoke(revoke));
        let ended = ended.await?;
        if !ended.is_empty() {
            self.upstream.note_overwritten(bucket);
        }
        Ok(ended)
    }

    /// The store has a revocation that this node has begun with.
    pub(super) fn settle_revocation(&self, revoke: &Revoke, ended: &[SessionId]) {
        let memory = self.config.store_deadline.max(self.config.freshness.grace);
        self.cache
            .revoked(revoke, ended, self.clock.uptime(), memory);
    }
}
