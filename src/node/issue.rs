use std::sync::Arc;

use super::Node;
use super::issued::{ForeignApp, Issued, NewSession};
use crate::rejection::{Rejection, RejectionKind};
use crate::session::{Record, Session, Stamp};
use crate::store::{Insert, Inserted, Retire, SessionStore, StoreError};
use crate::token::SessionToken;
use crate::upstream::Deadline;

impl<S: SessionStore> Node<S> {
    /// Issues a session to a user.
    pub(crate) async fn issue(self: &Arc<Self>, new: NewSession) -> Result<Issued, Rejection> {
        if !self.serves(new.identity.appid()) {
            let rejection = Rejection::from(RejectionKind::ProviderMisconfigured);
            return Err(rejection.caused_by(ForeignApp));
        }
        self.start();
        Ok(Box::pin(self.try_issue(new)).await?)
    }

    async fn try_issue(self: &Arc<Self>, new: NewSession) -> Result<Issued, StoreError> {
        let deadline = Deadline::after(self.config.store_deadline);
        let token = self.mint(new.identity.bucket()).await?;
        let id = token.id();
        let now = self.clock.read();
        let config = &self.config;
        let (lifetime, idle_timeout) = (config.lifetime, config.idle_timeout);
        let record = Record::issued(new.identity, now.fleet, lifetime, idle_timeout, new.data);
        let retired = new.replaces.filter(|old| old.bucket() == id.bucket());
        let insert = Insert {
            cap: config.sessions_per_user,
            retire: retired.map(|old| Retire::new(old, config.rotation_grace)),
            ..Insert::new(id, record.clone())
        };
        // Before the write: whatever changes from now on has a greater number.
        let stamp = self.cache.stamp(now.local);
        let insert = |store| SessionStore::insert(store, insert);
        match (self.upstream)
            .write_by(deadline, id.bucket(), insert)
            .await?
        {
            Inserted::Kept(replaced) => {
                self.upstream.note_written(id.bucket());
                self.cache.changed(&replaced);
                self.cache.changed(retired.as_slice());
                Ok(self.issued(token, record, stamp))
            }
            Inserted::Taken => Err(taken()),
        }
    }

    pub(super) fn issued(&self, token: SessionToken, record: Record, stamp: Stamp) -> Issued {
        let expires_in = record.lasts_unused();
        let session = Session::new(token.id(), record, stamp);
        if let Some(fingerprint) = self.cache.fingerprint(token.expose().as_bytes()) {
            session.was_presented(fingerprint);
        }
        self.cache.keep(&session);
        Issued {
            token,
            expires_in,
            session,
        }
    }
}

/// 256 random bits are taken only if the randomness is broken; refusing beats sharing a session.
pub(super) fn taken() -> StoreError {
    StoreError::unavailable("the new session's id is taken")
}
