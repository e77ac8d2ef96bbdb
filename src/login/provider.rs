use std::fmt;
use std::future::Future;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::code_policy::CodePolicy;
use super::exchange_error::ExchangeError;
use crate::identity::Identity;
use crate::session_key::SessionKey;

/// Turns a one-time login code into the [`Identity`] of a user.
///
/// [`WeChat`](crate::wechat::WeChat) is one, and so are those in [`platform`](crate::platform); a
/// platform without a session_key gives none. Several of them behind one login: see
/// [`Platforms`](super::Platforms).
///
/// [`Login`](super::Login) sees to the rest: it never hands over the same one-time code twice, bounds
/// the exchanges in flight, and turns an [`ExchangeError`] into the refusal that clients understand.
/// A provider keeps its own time-out and keeps its secrets out of its errors; an exchange that
/// hangs is dropped at the [deadline](super::Login::with_deadline) of the login.
///
/// One of your own takes two methods. Here a website shows codes for its users to scan:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use tower_wx_session::login::{
///     ExchangeError, ExchangeErrorKind, Exchanged, IdentityProvider, Login, LoginRequest,
/// };
/// use tower_wx_session::{Identity, RejectionKind, Sessions, store::MemoryStore};
///
/// /// The users that the codes on the website stand for.
/// struct Website(Mutex<HashMap<String, String>>);
///
/// impl IdentityProvider for Website {
///     fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
///         // The only app: a client may name it, and no other.
///         appid.is_none_or(|appid| appid == "website").then_some("website")
///     }
///
///     async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
///         let broken = ExchangeError::new(ExchangeErrorKind::Unavailable);
///         let taken = self.0.lock().map_err(|_| broken)?.remove(login.code());
///         let user = taken.ok_or(ExchangeError::new(ExchangeErrorKind::CodeRejected))?;
///         Ok(Exchanged::new(Identity::new(login.appid(), user)))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let codes = HashMap::from([("4711".to_owned(), "alice".to_owned())]);
/// let website = Website(Mutex::new(codes));
/// let login = Login::new(Sessions::new(MemoryStore::new()), website);
///
/// let issued = login.log_in("4711").await?;
/// assert_eq!(issued.session().openid(), "alice");
/// let refused = login.log_in("0815").await.unwrap_err();
/// assert_eq!(refused.kind(), RejectionKind::CodeRejected);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot turn login codes into identities",
    note = "implement `IdentityProvider`, or use `wechat::WeChat` or one of `platform`",
    note = "a constructor that returns a `Result`, such as `Telegram::new`, wants a `?`"
)]
pub trait IdentityProvider: Send + Sync + 'static {
    /// The app that a login is for, given the appid that the client named, if it named one.
    ///
    /// `None` means that no such app is configured, or that the client must name one; the login
    /// is then refused as a bad request and no code is spent.
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str>;

    /// What this provider's codes are like. Default: [`CodePolicy::one_time`].
    fn code_policy(&self, appid: &str) -> CodePolicy {
        let _ = appid;
        CodePolicy::one_time()
    }

    /// Exchanges a code at the provider. Called at most once per code, but for
    /// [replayable](CodePolicy::replayable) ones: those it checks each time, and the login lets one
    /// of them through.
    fn exchange(
        &self,
        request: LoginRequest<'_>,
    ) -> impl Future<Output = Result<Exchanged, ExchangeError>> + Send;
}

/// A code to exchange, and the app it belongs to.
#[derive(Clone, Copy)]
pub struct LoginRequest<'a> {
    appid: &'a str,
    code: &'a str,
    received_at: SystemTime,
}

impl<'a> LoginRequest<'a> {
    /// A request to exchange `code` for the app `appid`, received now by the system's clock.
    #[must_use]
    pub fn new(appid: &'a str, code: &'a str) -> Self {
        Self {
            appid,
            code,
            received_at: SystemTime::now(),
        }
    }

    /// The same request to another app.
    pub(super) const fn to(self, appid: &'a str) -> Self {
        Self { appid, ..self }
    }

    /// Sets when it was received.
    #[must_use]
    pub const fn at(self, received_at: SystemTime) -> Self {
        Self {
            received_at,
            ..self
        }
    }

    /// The app, as [`IdentityProvider::resolve`] named it.
    #[must_use]
    pub const fn appid(&self) -> &'a str {
        self.appid
    }

    /// The code as the client sent it: not empty, and no longer than the
    /// [policy](IdentityProvider::code_policy) allows (512 bytes by default). A secret until it is spent.
    #[must_use]
    pub const fn code(&self) -> &'a str {
        self.code
    }

    /// When the exchange began, on the fleet's clock: launch data is as old as it is at this time.
    #[must_use]
    pub const fn received_at(&self) -> SystemTime {
        self.received_at
    }
}

impl fmt::Debug for LoginRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRequest")
            .field("appid", &self.appid)
            .finish_non_exhaustive()
    }
}

/// What a provider gives for a good code.
#[derive(Clone, Debug)]
pub struct Exchanged {
    identity: Identity,
    session_key: Option<SessionKey>,
    pub(super) once_per: Option<[u8; 32]>,
}

impl Exchanged {
    /// A user, without a session_key.
    #[must_use]
    pub const fn new(identity: Identity) -> Self {
        Self {
            identity,
            session_key: None,
            once_per: None,
        }
    }

    /// Adds the session_key of this login.
    #[must_use]
    pub fn with_session_key(self, key: SessionKey) -> Self {
        Self {
            session_key: Some(key),
            ..self
        }
    }

    /// Names what of a [replayable](CodePolicy::replayable) code is good only once. Default: the
    /// code's bytes.
    ///
    /// For signed parameters that is the text that the signature is over: order, escapes and
    /// unsigned parameters can be changed without it, and would make another code of the same
    /// content. Only a digest of it is kept.
    #[must_use]
    pub fn once_per(self, signed: impl AsRef<[u8]>) -> Self {
        Self {
            once_per: Some(Sha256::digest(signed).into()),
            ..self
        }
    }

    /// The same user, of an app with the platform before it.
    pub(super) fn at(self, platform: &str) -> Self {
        let user = &self.identity;
        let appid = format!("{platform}:{}", user.appid());
        let mut identity = Identity::new(appid, user.openid());
        if let Some(unionid) = user.unionid() {
            identity = identity.with_unionid(unionid);
        }
        Self { identity, ..self }
    }

    /// Who logged in.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The session_key, where the platform has one.
    #[must_use]
    pub const fn session_key(&self) -> Option<&SessionKey> {
        self.session_key.as_ref()
    }
}
