use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::identity::Identity;
use crate::session::{DataError, Session, to_json};
use crate::token::{SessionId, SessionToken};

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
    pub(super) replaces: Option<SessionId>,
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
    pub(super) token: SessionToken,
    pub(super) session: Session,
    pub(super) expires_in: Duration,
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

/// A session was to be issued for an app whose sessions are not good here.
#[derive(Debug)]
pub(crate) struct ForeignApp;

impl fmt::Display for ForeignApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the app is not one of the appids of these sessions")
    }
}

impl Error for ForeignApp {}
