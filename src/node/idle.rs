//! A session is not idle because a use of it was not written.

use std::sync::Arc;

use super::Node;
use crate::session::EndReason;
use crate::store::{Loaded, SessionStore, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

impl<S: SessionStore> Node<S> {
    /// Since when a session may be idle that was used without the store having it.
    pub(super) fn idle_since(&self, loaded: &Loaded) -> Option<Timestamp> {
        match loaded {
            Loaded::Ended {
                reason: EndReason::Idle,
                at,
            } => Some(*at),
            // The latest: a store remembers an end for one idle timeout.
            Loaded::NeverSeen => Some(self.clock.now().before(self.config.idle_timeout)),
            Loaded::Ended { .. } | Loaded::Live(_) => None,
        }
    }

    /// Gives up a session that the store takes for idle only if no use of it can be missing: writes
    /// what this node has, and reads again.
    pub(super) async fn unless_used_since(
        self: &Arc<Self>,
        id: SessionId,
        idle_at: Timestamp,
        loaded: Loaded,
    ) -> Result<Loaded, StoreError> {
        let written = match self.touches.latest(id) {
            Some(touch) => self.touch(touch).await,
            // A record outlasts an idle session by hours: what is not there is read once.
            None if loaded == Loaded::NeverSeen => Ok(None),
            // Other nodes may be unable to write theirs, and nothing else would show it here.
            None => {
                let writable = self.upstream.ensure_writable(id.bucket()).await;
                writable.map(|()| None)
            }
        };
        match written {
            Ok(Some(_)) => return self.load(id).await,
            Ok(None) => {}
            Err(error) => {
                // The record is there, and is not that of a session that was revoked.
                let is_there = error.is_unwritten() || loaded != Loaded::NeverSeen;
                let may_be_in_use = is_there && error.is_unavailable();
                let in_use = may_be_in_use.then(|| self.in_use(id)).flatten();
                return in_use.map_or_else(|| Err(error.about_no_record()), Ok);
            }
        }
        // Uses during an outage are written when it is over, not all at once.
        if self.upstream.may_lack_use(id.bucket(), idle_at) {
            // Where nothing else is written for long, only a trial shows that the outage is over.
            let _ = self.upstream.ensure_writable(id.bucket()).await;
            let cause = "it may have been used in the outage that just ended";
            return Err(StoreError::unavailable(cause));
        }
        Ok(loaded)
    }

    /// A session that this node has seen in use without a gap, which could not be written.
    fn in_use(&self, id: SessionId) -> Option<Loaded> {
        let Some(Ok(session)) = self.cache.look(id, self.clock.uptime()) else {
            return None;
        };
        let is_live = self.clock.now() < session.end();
        is_live.then(|| Loaded::Live(session.record()))
    }
}
