//! Ends sessions: on this node at once, in the store now or as soon as it answers again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::Node;
use super::pending::{Permit, Waiting};
use super::revocation::Revocation;
use super::turns::Turns;
use crate::observe::{meter, trace};
use crate::rejection::Rejection;
use crate::store::{Revoke, RevokeReason, SessionStore, StoreError, Target};
use crate::token::SessionId;

/// A revocation that reaches the store late spares sessions issued later than this after it
/// began: enough for nodes whose clocks differ.
const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// Pause before a pending revocation is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// A revocation that holds on this node, with the right to have it pending if there is room.
pub(crate) struct Revoking {
    revoke: Revoke,
    permit: Option<Permit>,
}

impl<S: SessionStore> Node<S> {
    /// Ends sessions on this node at once. [`finish_revoking`](Self::finish_revoking) has to follow.
    pub(crate) fn start_revoking(
        self: &Arc<Self>,
        target: Target,
        reason: RevokeReason,
    ) -> Revoking {
        self.start();
        let permit = self.revocations.enter();
        let knows_the_time = self.has_store_clock.initialized();
        let revoke = Revoke {
            issued_by: knows_the_time.then(|| self.clock.now().after(CLOCK_SKEW)),
            ..Revoke::new(target, reason)
        };
        self.cache.revoking(&revoke);
        Revoking { revoke, permit }
    }

    /// Ends sessions in the store, now or later.
    pub(crate) fn finish_revoking(
        self: Arc<Self>,
        revoking: Revoking,
    ) -> impl Future<Output = Result<Revocation, Rejection>> + Send {
        trace::inherit(self.revoke_and_count(revoking))
    }

    async fn revoke_and_count(
        self: Arc<Self>,
        revoking: Revoking,
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
        revoking: Revoking,
    ) -> Result<Revocation, Rejection> {
        let Revoking { revoke, permit } = revoking;
        match (self.write_revocation(&revoke, &revoke).await, permit) {
            (Ok(ended), _) => Ok(Revocation::Done(ended)),
            (Err(error), Some(permit)) => {
                trace::revocation_pending(&error, self.revocations.waiting() == 0);
                self.postpone(&revoke, permit);
                Ok(Revocation::Pending)
            }
            (Err(error), None) => {
                self.cache.not_revoked(&revoke, self.clock.uptime());
                Err(error.into())
            }
        }
    }

    /// Writes a revocation, `dated` if it comes late, and takes in that the store has it.
    async fn write_revocation(
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

    /// Writes a revocation that has waited.
    async fn write_late(
        self: &Arc<Self>,
        revoke: &Revoke,
        waited: Duration,
    ) -> Result<usize, StoreError> {
        let dated = self.dated(revoke, waited).await?;
        self.write_revocation(revoke, &dated).await
    }

    /// A revocation that began before the time was known spares later sessions, too.
    async fn dated(
        self: &Arc<Self>,
        revoke: &Revoke,
        waited: Duration,
    ) -> Result<Revoke, StoreError> {
        self.learn_clock().await?;
        let asked_at = self.clock.now().before(waited);
        Ok(Revoke {
            issued_by: revoke
                .issued_by
                .or_else(|| Some(asked_at.after(CLOCK_SKEW))),
            ..revoke.clone()
        })
    }

    /// Has a revocation, and those of the sessions that took its session's permit, tried until the
    /// store takes it.
    fn postpone(self: &Arc<Self>, revoke: &Revoke, mut permit: Permit) {
        permit.wait();
        self.revocations.leave_unattended(Waiting {
            revoke: revoke.clone(),
            since: Instant::now(),
            permit,
        });
        self.write_revocations();
        if let Target::Session(id) = revoke.target
            && let Some(successor) = self.cache.successor(id)
            && let Some(permit) = self.revocations.enter()
        {
            let of_successor = Revoke {
                target: successor.into(),
                ..revoke.clone()
            };
            self.cache.revoking(&of_successor);
            self.postpone(&of_successor, permit);
        }
    }

    /// Has the revocations written that wait and that nobody writes, if there is a runtime.
    pub(super) fn write_revocations(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        for waiting in self.revocations.take_unattended() {
            let writer = Writer {
                node: Arc::downgrade(self),
                waiting: Some(waiting),
            };
            runtime.spawn(write_later(writer, self.revocations.turns.clone()));
            self.keep();
        }
    }
}

/// Whoever writes a revocation that waits. Dropped before the store has it, as with the end of its
/// runtime, it leaves it to another one.
struct Writer<S: SessionStore> {
    node: Weak<Node<S>>,
    waiting: Option<Waiting>,
}

impl<S: SessionStore> Writer<S> {
    /// The node, unless it is gone or has given up.
    fn node(&self) -> Option<Arc<Node<S>>> {
        let node = self.node.upgrade();
        node.filter(|node| !node.revocations.are_given_up())
    }

    /// The store has it, or will not have it.
    fn settle(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.permit.settle();
        }
    }
}

impl<S: SessionStore> Drop for Writer<S> {
    fn drop(&mut self) {
        if let (Some(node), Some(waiting)) = (self.node(), self.waiting.take()) {
            node.revocations.leave_unattended(waiting);
        }
    }
}

async fn write_later<S: SessionStore>(mut writer: Writer<S>, turns: Turns) {
    loop {
        let turn = turns.next().await;
        let (Some(node), Some(waiting)) = (writer.node(), &writer.waiting) else {
            return;
        };
        let waited = waiting.since.elapsed();
        match node.write_late(&waiting.revoke, waited).await {
            Err(error) if error.is_unavailable() => {
                // Whoever keeps the node may have ended when this one came to wait.
                node.keep();
                let closed = node.upstream.closed();
                // The node is held for a turn only: who keeps it looks for others who do.
                drop((node, turn));
                // A store that is back is written to at once.
                let _ = timeout(AGAIN_AFTER, closed).await;
            }
            Err(error) => {
                // This node keeps refusing what the store will not end.
                writer.settle();
                return trace::revocation_given_up(&error);
            }
            Ok(_) => {
                writer.settle();
                if node.revocations.waiting() == 0 {
                    trace::no_revocation_pending();
                }
                return;
            }
        }
    }
}
