//! Ends sessions in the store later, when it could not be done at once.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::Node;
use super::pending::{Permit, Waiting};
use super::revoke::CLOCK_SKEW;
use super::turns::Turns;
use crate::observe::trace;
use crate::store::{Revoke, SessionStore, StoreError, Target};

/// Pause before a pending revocation is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

impl<S: SessionStore> Node<S> {
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
    pub(super) fn postpone(self: &Arc<Self>, revoke: &Revoke, permit: Permit) {
        self.leave_to_next_writer(revoke, permit);
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

    pub(super) fn leave_to_next_writer(&self, revoke: &Revoke, mut permit: Permit) {
        permit.wait();
        self.revocations.leave_without_writer(Waiting {
            revoke: revoke.clone(),
            since: Instant::now(),
            permit,
        });
    }

    /// Has the revocations written that wait and have no writer, if there is a runtime.
    pub(super) fn write_revocations(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        for waiting in self.revocations.take_without_writer() {
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
            node.revocations.leave_without_writer(waiting);
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
