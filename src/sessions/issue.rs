use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::node::{Node, fill_random};
use crate::cache::{Answer, Gone};
use crate::identity::Identity;
use crate::rejection::{Rejection, RejectionKind};
use crate::session::{DataError, Record, Session, Stamp, to_json};
use crate::store::{
    Insert, Inserted, Retire, Rotate, Rotated, SessionStore, StoreError, StoreErrorKind,
};
use crate::token::{SessionId, SessionToken, Token};

/// A session to issue: a user, and what the application wants to find in each of the requests.
///
/// ```
/// use tower_wx_session::{Identity, sessions::NewSession};
///
/// let new = NewSession::from(Identity::new("appid", "openid")).with_data(&["admin"])?;
/// # Ok::<_, tower_wx_session::sessions::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct NewSession {
    pub(crate) identity: Identity,
    pub(crate) data: Option<Arc<str>>,
    replaces: Option<SessionId>,
}

impl NewSession {
    /// Adds the application's data: any serde value, kept as JSON, fixed for the session. What is
    /// `null` in JSON, such as `()`, is no data.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as JSON, such as a map whose keys are not strings.
    pub fn with_data<T: Serialize>(self, data: &T) -> Result<Self, DataError> {
        Ok(self.with_json(to_json(data)?))
    }

    pub(crate) fn with_json(self, data: Arc<str>) -> Self {
        Self {
            data: Some(data),
            ..self
        }
    }

    /// Retires a session of the same user, after the grace of a rotation.
    #[must_use]
    pub fn replacing(self, session: SessionId) -> Self {
        Self {
            replaces: Some(session),
            ..self
        }
    }
}

impl From<Identity> for NewSession {
    fn from(identity: Identity) -> Self {
        Self {
            identity,
            data: None,
            replaces: None,
        }
    }
}

/// A session that was issued just now, with the one copy of its token.
#[derive(Clone, Debug)]
pub struct Issued {
    token: SessionToken,
    session: Session,
    expires_in: Duration,
}

impl Issued {
    /// What the client is to keep.
    #[must_use]
    pub const fn token(&self) -> &SessionToken {
        &self.token
    }

    /// What the token stands for.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// How long the session lasts if it is not used.
    #[must_use]
    pub const fn expires_in(&self) -> Duration {
        self.expires_in
    }
}

impl<S: SessionStore> Node<S> {
    pub(super) async fn issue(self: &Arc<Self>, new: NewSession) -> Result<Issued, Rejection> {
        if !self.serves(new.identity.appid()) {
            let rejection = Rejection::from(RejectionKind::ProviderMisconfigured);
            return Err(rejection.caused_by(ForeignApp));
        }
        self.start();
        let bucket = new.identity.bucket();
        let issued = Box::pin(self.try_issue(new));
        let issued = self.within_deadline(bucket, issued).await;
        self.note_failed_order(bucket, &issued);
        Ok(issued?)
    }

    pub(super) async fn rotate(
        self: &Arc<Self>,
        old: SessionId,
        data: Option<Arc<str>>,
    ) -> Result<Issued, Rejection> {
        self.start();
        if self.config.appids.is_some() {
            // Afterwards it would be too late: the old token is good for its grace only.
            self.look_up(old).await?;
        }
        let rotated = Box::pin(self.try_rotate(old, data));
        let rotated = self.within_deadline(old.bucket(), rotated).await;
        self.note_failed_order(old.bucket(), &rotated);
        Ok(rotated??)
    }

    async fn try_issue(self: &Arc<Self>, new: NewSession) -> Result<Issued, StoreError> {
        self.learn_clock().await?;
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
        let stamp = self.cache.stamp(id, now.local);
        let inserted = self.tell(id.bucket(), self.store.insert(insert)).await?;
        let part = self.store.part(id.bucket());
        self.writes.done(part, self.clock.read());
        match inserted {
            Inserted::Kept(replaced) => {
                self.cache.changed(&replaced);
                self.cache.changed(retired.as_slice());
                Ok(self.issued(&token, record, stamp))
            }
            Inserted::Taken => Err(taken()),
        }
    }

    async fn try_rotate(
        self: &Arc<Self>,
        old: SessionId,
        data: Option<Arc<str>>,
    ) -> Result<Result<Issued, RejectionKind>, StoreError> {
        self.learn_clock().await?;
        let token = self.mint(old.bucket()).await?;
        let id = token.id();
        let rotate = Rotate {
            data,
            ..Rotate::new(old, id, self.config.rotation_grace)
        };
        let stamp = self.cache.stamp(id, self.clock.uptime());
        Ok(
            match self.tell(id.bucket(), self.store.rotate(rotate)).await? {
                Rotated::Done(record) => {
                    // A revocation of the old session finds the new one from here on; one that was
                    // raised before and has not reached the store is found now.
                    self.cache.succeeded(old, id);
                    match self.cache.buried(old, &record, stamp.asked) {
                        Some(Answer::Gone(Gone::Ended(reason))) => Err(reason.into()),
                        Some(Answer::Failed(error)) => return Err(error),
                        _ => Ok(self.issued(&token, record, stamp)),
                    }
                }
                Rotated::Ended(reason) => Err(reason.into()),
                Rotated::NeverSeen => Err(RejectionKind::SessionUnknown),
                Rotated::Taken => return Err(taken()),
            },
        )
    }

    fn issued(&self, token: &Token, record: Record, stamp: Stamp) -> Issued {
        let expires_in = record.lasts_unused();
        let session = Session::new(token.id(), record, stamp);
        self.cache.keep(&session);
        Issued {
            token: token.to_text(),
            expires_in,
            session,
        }
    }

    /// Makes a token with the fleet's newest key, which has to be known for that.
    async fn mint(self: &Arc<Self>, bucket: [u8; 2]) -> Result<Token, StoreError> {
        let mut random = [0; 32];
        fill_random(&mut random)?;
        if self.keyring.usable(self.clock.now()).is_none() {
            self.fetch_keys(Duration::ZERO, Duration::MAX).await?;
        }
        match self.keyring.usable(self.clock.now()) {
            Some(key) => Ok(Token::mint(&key, bucket, &random)),
            None => Err(StoreError::new(StoreErrorKind::Unavailable)
                .caused_by("the session store has no usable tag key")),
        }
    }
}

/// A session was to be issued for an app whose sessions are not good here.
#[derive(Debug)]
pub(crate) struct ForeignApp;

impl fmt::Display for ForeignApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the app is not one of the appids of these sessions")
    }
}

impl Error for ForeignApp {}

/// 256 random bits are taken only if the randomness is broken; refusing beats sharing a session.
fn taken() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable).caused_by("the new session's id is taken")
}
