use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::SessionKey;
use crate::cause::Cause;
use crate::identity::Identity;

/// Asks a platform whether a session_key is still good.
///
/// [`following_session_keys`](crate::sessions::SessionsBuilder::following_session_keys) calls it, off
/// the request path and within the bounds of a
/// [`KeyCheckPolicy`](crate::sessions::KeyCheckPolicy). A check that takes longer than 10 s is dropped.
///
/// ```
/// use tower_wx_session::login::{SessionKeyCheck, Validity};
/// use tower_wx_session::{Identity, SessionKey, Sessions, store::MemoryStore};
///
/// /// A platform of your own: it answers 0 for a good key and 1 for one that is over.
/// struct Platform;
///
/// impl Platform {
///     async fn ask(&self, openid: &str, key: &str) -> Result<u32, std::io::Error> {
///         # let _ = (openid, key);
///         Ok(0)
///     }
/// }
///
/// impl SessionKeyCheck for Platform {
///     async fn check_session_key(&self, user: &Identity, key: &SessionKey) -> Validity {
///         match self.ask(user.openid(), key.expose()).await {
///             Ok(0) => Validity::Valid,
///             Ok(1) => Validity::Over,
///             Ok(_) => Validity::cannot_tell("an answer that is not documented"),
///             Err(error) => Validity::cannot_tell(error),
///         }
///     }
/// }
///
/// let sessions = Sessions::builder(MemoryStore::new())
///     .following_session_keys(Platform)
///     .build()?;
/// # Ok::<_, tower_wx_session::sessions::ConfigError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot check session_keys",
    note = "implement `SessionKeyCheck` for the platform that the users log in at"
)]
pub trait SessionKeyCheck: Send + Sync + 'static {
    /// Whether `key`, which the platform once gave for `user`, is still good there.
    ///
    /// Answer [`Over`](Validity::Over) only on the platform's word: it logs the user out. Whatever
    /// is wrong with the call itself, such as an access token, says nothing of the user.
    fn check_session_key(
        &self,
        user: &Identity,
        key: &SessionKey,
    ) -> impl Future<Output = Validity> + Send;

    /// Whether users of this app can be asked about: of others nobody asks. Default: of every app.
    ///
    /// The app is named as in a session: with the platform before it where
    /// [`Platforms`](crate::login::Platforms) has put it there.
    fn knows(&self, appid: &str) -> bool {
        let _ = appid;
        true
    }
}

/// What a platform says of a session_key.
#[derive(Clone, Debug)]
pub enum Validity {
    /// It is good.
    Valid,
    /// It has expired, or a newer one has taken its place.
    Over,
    /// Nobody knows: the platform did not answer, or not about the key. Changes nothing.
    CannotTell(CheckError),
}

impl Validity {
    /// The platform cannot tell, and why, for the log. It must hold no secret.
    pub fn cannot_tell(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::CannotTell(CheckError(Cause::new(cause)))
    }
}

/// Why a platform could not tell whether a session_key is good.
///
/// Its text goes to the operator's log: one event when it begins, one when it is over.
#[derive(Clone, Debug)]
pub struct CheckError(Cause);

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the platform cannot tell whether a session_key is good")
    }
}

impl Error for CheckError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Validity> + Send + 'a>>;

/// [`SessionKeyCheck`] with a boxed future.
trait DynCheck: Send + Sync {
    fn check<'a>(&'a self, user: &'a Identity, key: &'a SessionKey) -> Answer<'a>;
    fn knows(&self, appid: &str) -> bool;
}

impl<C: SessionKeyCheck> DynCheck for C {
    fn check<'a>(&'a self, user: &'a Identity, key: &'a SessionKey) -> Answer<'a> {
        Box::pin(self.check_session_key(user, key))
    }

    fn knows(&self, appid: &str) -> bool {
        SessionKeyCheck::knows(self, appid)
    }
}

/// Any [`SessionKeyCheck`].
#[derive(Clone)]
pub(crate) struct AnyCheck(Arc<dyn DynCheck>);

impl AnyCheck {
    pub(crate) fn new(check: impl SessionKeyCheck) -> Self {
        Self(Arc::new(check))
    }

    pub(crate) async fn check(&self, user: &Identity, key: &SessionKey) -> Validity {
        self.0.check(user, key).await
    }

    pub(crate) fn knows(&self, appid: &str) -> bool {
        self.0.knows(appid)
    }
}

impl fmt::Debug for AnyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyCheck(..)")
    }
}
