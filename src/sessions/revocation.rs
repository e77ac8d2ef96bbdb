use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Sessions;
use super::background::Turns;
use super::node::Node;
use super::pending::Place;
use crate::identity::Identity;
use crate::observe::{meter, trace};
use crate::rejection::{Rejection, RejectionKind};
use crate::session::Session;
use crate::store::{Revoke, RevokeReason, SessionStore, StoreError, StoreErrorKind, Target};
use crate::token::SessionId;

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
    ///
    /// Until then the revocation is in this process's memory alone, and **is lost when the process
    /// ends**, though [`Sessions::shutdown`] waits for it a while. After the last handle is gone it
    /// is tried for another minute. What is lost is an event, which says how many they are.
    Pending,
}

/// A revocation that holds on this node, with the right to have it pending if there is room.
pub(super) struct Revoking {
    revoke: Revoke,
    place: Option<Place>,
}

impl<S: SessionStore> Sessions<S> {
    /// Ends a session, a user's sessions or a user's other sessions.
    ///
    /// It begins when the returned future is first polled, and then goes on if that is dropped. This
    /// node refuses the sessions from then on, every other one as soon as the store has told it.
    /// What the store cannot be told now is [`Pending`](Revocation::Pending), in this process's
    /// memory. Ending what is over changes nothing.
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
    /// A store that has lost its list of the user's sessions, as Redis may when it evicts, ends
    /// none. Where the user asks for it in a session, [`revoke_all`](Self::revoke_all) ends at
    /// least that one.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke).
    pub async fn revoke_user(&self, user: &Identity) -> Result<Revocation, Rejection> {
        self.revoke(user, RevokeReason::LoggedOut).await
    }

    /// Logs the user of a session out everywhere: this session whatever the store remembers, and
    /// all others that it knows of.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke); a part of it may hold then.
    pub async fn revoke_all(&self, session: &Session) -> Result<Revocation, Rejection> {
        let (user, itself) = tokio::join!(
            self.revoke(session.identity(), RevokeReason::LoggedOut),
            self.revoke(session, RevokeReason::LoggedOut),
        );
        Ok(match (user?, itself?) {
            (Revocation::Done(of_user), Revocation::Done(itself)) => {
                Revocation::Done(of_user + itself)
            }
            _ => Revocation::Pending,
        })
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
        let place = self.background.revocations.enter();
        let knows_the_time = self.has_store_clock.initialized();
        let revoke = Revoke {
            issued_by: knows_the_time.then(|| self.clock.now().after(CLOCK_SKEW)),
            ..Revoke::new(target, reason)
        };
        self.cache.revoking(&revoke);
        Revoking { revoke, place }
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
        let Revoking { revoke, place } = revoking;
        match (self.write_revocation(&revoke, &revoke).await, place) {
            (Ok(ended), _) => Ok(Revocation::Done(ended)),
            (Err(error), Some(place)) => {
                trace::revocation_pending(&error, self.background.revocations.waiting() == 0);
                self.postpone(&revoke, place);
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
    fn postpone(self: &Arc<Self>, revoke: &Revoke, mut place: Place) {
        place.wait();
        let turns = self.background.revocation_turns();
        let node = Arc::downgrade(self);
        tokio::spawn(write_later(node, revoke.clone(), place, turns));
        self.keep();
        if let Target::Session(id) = revoke.target
            && let Some(successor) = self.cache.successor(id)
            && let Some(place) = self.background.revocations.enter()
        {
            let of_successor = Revoke {
                target: successor.into(),
                ..revoke.clone()
            };
            self.cache.revoking(&of_successor);
            self.postpone(&of_successor, place);
        }
    }
}

async fn write_later<S: SessionStore>(
    node: Weak<Node<S>>,
    revoke: Revoke,
    place: Place,
    turns: Turns,
) {
    let asked = Instant::now();
    loop {
        let turn = turns.next().await;
        let node = node.upgrade();
        let Some(node) = node.filter(|node| !node.background.revocations.are_given_up()) else {
            return;
        };
        let written = match node.dated(&revoke, asked.elapsed()).await {
            Ok(dated) => node.write_revocation(&dated, &revoke).await,
            Err(error) => Err(error),
        };
        match written {
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                // Whoever keeps the node may have ended when this one came to wait.
                node.keep();
                let closed = node.breaker.closed();
                // The node is held for a turn only: who keeps it looks for others who do.
                drop((node, turn));
                // A store that is back is told at once.
                let _ = timeout(AGAIN_AFTER, closed).await;
            }
            Err(error) => {
                // This node keeps refusing what the store cannot be told to end.
                place.settle();
                return trace::revocation_given_up(&error);
            }
            Ok(_) => {
                place.settle();
                if node.background.revocations.waiting() == 0 {
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
