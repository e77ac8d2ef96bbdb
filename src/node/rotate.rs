use std::sync::Arc;

use super::Node;
use super::issue::taken;
use super::issued::Issued;
use crate::cache::{Answer, Gone};
use crate::rejection::{Rejection, RejectionKind};
use crate::session::{Record, Stamp};
use crate::store::{Rotate, Rotated, SessionStore, StoreError};
use crate::token::{SessionId, SessionToken};
use crate::upstream::Deadline;

impl<S: SessionStore> Node<S> {
    /// Puts a new session in the place of another, with other data if there is any.
    pub(crate) async fn rotate(
        self: &Arc<Self>,
        old: SessionId,
        data: Option<Arc<str>>,
    ) -> Result<Issued, Rejection> {
        self.start();
        if self.config.appids.is_some() {
            // Afterwards it would be too late: the old token is good for its grace only.
            self.look_up(old).await?;
        }
        Ok(Box::pin(self.try_rotate(old, data)).await??)
    }

    async fn try_rotate(
        self: &Arc<Self>,
        old: SessionId,
        data: Option<Arc<str>>,
    ) -> Result<Result<Issued, RejectionKind>, StoreError> {
        let deadline = Deadline::after(self.config.store_deadline);
        let token = self.mint(old.bucket()).await?;
        let id = token.id();
        let rotate = Rotate {
            data,
            ..Rotate::new(old, id, self.config.rotation_grace)
        };
        let stamp = self.cache.stamp(self.clock.uptime());
        let rotate = |store| SessionStore::rotate(store, rotate);
        match (self.upstream)
            .write_by(deadline, id.bucket(), rotate)
            .await?
        {
            Rotated::Done(record) => {
                self.upstream.note_written(id.bucket());
                self.unless_revoked_meanwhile(old, token, record, stamp)
            }
            Rotated::Ended(reason) => Ok(Err(reason.into())),
            Rotated::NeverSeen => Ok(Err(RejectionKind::SessionUnknown)),
            Rotated::Taken => Err(taken()),
        }
    }

    fn unless_revoked_meanwhile(
        &self,
        old: SessionId,
        token: SessionToken,
        record: Record,
        stamp: Stamp,
    ) -> Result<Result<Issued, RejectionKind>, StoreError> {
        // In this order: a revocation of the old session finds the new one from here on; one that
        // began before and has not reached the store is found now.
        self.cache.succeeded(old, token.id());
        match self.cache.shadow(old, &record, stamp.as_of) {
            Some(Answer::Gone(Gone::Ended(reason))) => Ok(Err(reason.into())),
            Some(Answer::Failed(error)) => Err(error),
            _ => Ok(Ok(self.issued(token, record, stamp))),
        }
    }
}
