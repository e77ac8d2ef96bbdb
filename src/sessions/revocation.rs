use std::sync::Arc;
use std::time::Duration;

use super::node::Node;
use crate::store::{Revoke, SessionStore, StoreError};
use crate::{Rejection, RejectionKind, trace};

/// A revocation that comes late spares sessions issued later than this after it was asked for:
/// enough for nodes whose clocks differ.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// How far a revocation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The store has ended so many sessions, and tells every node.
    Done(usize),
    /// This node refuses the sessions; the store will be told as soon as it answers again.
    Pending,
}

impl<S: SessionStore> Node<S> {
    /// Ends sessions on this node at once, then in the store.
    pub(super) async fn revoke(self: Arc<Self>, revoke: Revoke) -> Result<Revocation, Rejection> {
        self.start();
        self.cache.revoking(&revoke);
        match self.write_revocation(&revoke).await {
            Ok(ended) => Ok(Revocation::Done(ended)),
            Err(error) => self.postpone(&revoke, error),
        }
    }

    /// Writes a revocation that the cache knows of to the store.
    pub(super) async fn write_revocation(&self, revoke: &Revoke) -> Result<usize, StoreError> {
        let ended = self.ask(self.store.revoke(revoke.clone())).await?;
        let now = self.clock.now();
        self.cache
            .revoked(revoke, &ended, now, self.config.store_deadline);
        Ok(ended.len())
    }

    fn postpone(&self, revoke: &Revoke, error: StoreError) -> Result<Revocation, Rejection> {
        let now = self.clock.now();
        let late = Revoke {
            issued_by: Some(now.after(CLOCK_SKEW)),
            ..revoke.clone()
        };
        self.cache.revoking(&late);
        let queued = self.background.revoke(late.clone());
        self.cache.not_revoked(revoke, now);
        if queued {
            trace::revocation_pending();
            return Ok(Revocation::Pending);
        }
        self.cache.not_revoked(&late, now);
        Err(Rejection::from(RejectionKind::StoreUnavailable).caused_by(error))
    }
}
