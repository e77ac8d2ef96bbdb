use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::background::Postponed;
use super::node::Node;
use crate::store::{Revoke, RevokeReason, SessionStore, StoreError, StoreErrorKind, Target};
use crate::{Identity, Rejection, RejectionKind, Session, SessionId, Sessions, meter, trace};

/// A revocation that reaches the store late spares sessions issued later than this after it was
/// asked for: enough for nodes whose clocks differ.
const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// Pause before a pending revocation is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How far a revocation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The store has ended so many sessions, and tells every node.
    Done(usize),
    /// This node refuses the sessions; the store will be told as soon as it answers again.
    Pending,
}

/// A revocation that holds on this node, with the right to have it pending if there is room.
pub(super) struct Revoking {
    revoke: Revoke,
    permit: Option<OwnedSemaphorePermit>,
}

impl<S: SessionStore> Sessions<S> {
    /// Ends a session, a user's sessions or a user's other sessions.
    ///
    /// This node refuses them as soon as this is called, every other one as soon as the store has
    /// told it. It goes on if the returned future is dropped. Ending what is over changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreUnavailable`](RejectionKind::StoreUnavailable) if the store cannot be told and too
    /// many revocations wait for it already: then nothing was revoked.
    pub async fn revoke(
        &self,
        target: impl Into<Target>,
        reason: RevokeReason,
    ) -> Result<Revocation, Rejection> {
        let revoke = self.node.start_revoking(target.into(), reason);
        let revocation = tokio::spawn(Arc::clone(&self.node).finish_revoking(revoke));
        revocation.await.unwrap_or_else(|stopped| {
            Err(Rejection::from(RejectionKind::StoreUnavailable).caused_by(stopped))
        })
    }

    /// Ends sessions as an administrator: the client is told `session_kicked_out`.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke).
    pub async fn kick_out(&self, target: impl Into<Target>) -> Result<Revocation, Rejection> {
        self.revoke(target, RevokeReason::KickedOut).await
    }

    /// Logs a user out everywhere.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke).
    pub async fn revoke_user(&self, user: &Identity) -> Result<Revocation, Rejection> {
        self.revoke(user, RevokeReason::LoggedOut).await
    }

    /// Logs a user out everywhere but in this session.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke).
    pub async fn revoke_others(&self, session: &Session) -> Result<Revocation, Rejection> {
        let target = Target::Others {
            user: session.identity().clone(),
            keep: session.id(),
        };
        self.revoke(target, RevokeReason::LoggedOut).await
    }
}

impl<S: SessionStore> Node<S> {
    /// Ends sessions on this node at once. [`finish_revoking`](Self::finish_revoking) has to follow.
    pub(super) fn start_revoking(
        self: &Arc<Self>,
        target: Target,
        reason: RevokeReason,
    ) -> Revoking {
        self.start();
        let permit = self.background.permit_to_revoke();
        let knows_the_time = self.has_store_clock.initialized();
        let revoke = Revoke {
            issued_by: knows_the_time.then(|| self.clock.now().after(CLOCK_SKEW)),
            ..Revoke::new(target, reason)
        };
        self.cache.revoking(&revoke);
        Revoking { revoke, permit }
    }

    /// Ends sessions in the store, now or later.
    pub(super) fn finish_revoking(
        self: Arc<Self>,
        revoking: Revoking,
    ) -> impl Future<Output = Result<Revocation, Rejection>> + Send {
        trace::inherit(self.revoke_and_count(revoking))
    }

    async fn revoke_and_count(
        self: Arc<Self>,
        revoking: Revoking,
    ) -> Result<Revocation, Rejection> {
        let revocation = trace::revocation_span(self.tell_or_postpone(revoking)).await;
        meter::revocation(match &revocation {
            Ok(Revocation::Done(_)) => "done",
            Ok(Revocation::Pending) => "pending",
            Err(_) => "failed",
        });
        revocation
    }

    async fn tell_or_postpone(
        self: &Arc<Self>,
        revoking: Revoking,
    ) -> Result<Revocation, Rejection> {
        let Revoking { revoke, permit } = revoking;
        match (self.write_revocation(&revoke, &revoke).await, permit) {
            (Ok(ended), _) => Ok(Revocation::Done(ended)),
            (Err(error), Some(permit)) => {
                trace::revocation_pending(&error, self.background.postponed() == 0);
                self.postpone(&revoke, permit);
                Ok(Revocation::Pending)
            }
            (Err(error), None) => {
                self.cache.not_revoked(&revoke, self.clock.uptime());
                Err(error.into())
            }
        }
    }

    /// Writes a revocation, and what this node has `raised` for it is settled.
    async fn write_revocation(
        self: &Arc<Self>,
        revoke: &Revoke,
        raised: &Revoke,
    ) -> Result<usize, StoreError> {
        let written =
            self.within_deadline(revoke.target.bucket(), self.store.revoke(revoke.clone()));
        let ended = written.await?;
        self.settle_revocation(raised, &ended);
        self.reassertions.note(revoke, &ended, self.clock.uptime());
        Ok(ended.len())
    }

    /// The store has taken a revocation that this node has raised.
    pub(super) fn settle_revocation(&self, raised: &Revoke, ended: &[SessionId]) {
        let memory = self.config.store_deadline.max(self.config.freshness.grace);
        self.cache
            .revoked(raised, ended, self.clock.uptime(), memory);
    }

    /// A revocation that was asked for before the time was known spares later sessions, too.
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

    /// Has a revocation, and those of the sessions that took its session's place, tried until the
    /// store takes it.
    fn postpone(self: &Arc<Self>, revoke: &Revoke, permit: OwnedSemaphorePermit) {
        let place = (permit, self.background.postpone());
        tokio::spawn(write_later(Arc::downgrade(self), revoke.clone(), place));
        if let Target::Session(id) = revoke.target
            && let Some(successor) = self.cache.successor(id)
            && let Some(permit) = self.background.permit_to_revoke()
        {
            let of_successor = Revoke {
                target: successor.into(),
                ..revoke.clone()
            };
            self.cache.revoking(&of_successor);
            self.postpone(&of_successor, permit);
        }
    }
}

async fn write_later<S: SessionStore>(
    node: Weak<Node<S>>,
    revoke: Revoke,
    place: (OwnedSemaphorePermit, Postponed),
) {
    let asked = Instant::now();
    while let Some(node) = node.upgrade() {
        let turn = node.background.turn_to_revoke().await;
        let written = match node.dated(&revoke, asked.elapsed()).await {
            Ok(dated) => node.write_revocation(&dated, &revoke).await,
            Err(error) => Err(error),
        };
        drop(turn);
        match written {
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                // A store that is back is told at once.
                let _ = timeout(AGAIN_AFTER, node.breaker.closed()).await;
            }
            // This node keeps refusing what the store cannot be told to end.
            Err(error) => return trace::revocation_given_up(&error),
            Ok(_) => {
                drop(place);
                if node.background.postponed() == 0 {
                    trace::no_revocation_pending();
                }
                return;
            }
        }
    }
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        Self::from(RejectionKind::StoreUnavailable).caused_by(error)
    }
}
