use std::fmt;
use std::future::Future;

use super::exchange_error::ExchangeError;
use crate::identity::Identity;
use crate::session_key::SessionKey;

/// Turns a one-time login code into the [`Identity`] of a user.
///
/// [`WeChat`](crate::wechat::WeChat) is one; the sister platforms of WeChat (QQ, Douyin, Baidu,
/// Kuaishou) have the same shape, and a platform without a session_key gives none.
///
/// [`Login`](super::Login) sees to the rest: it never hands over the same code twice, bounds the
/// exchanges in flight, and turns an [`ExchangeError`] into the refusal that clients understand.
/// A provider keeps its own time-out and keeps its secrets out of its errors; an exchange that
/// hangs is dropped at the [deadline](super::Login::with_deadline) of the login.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot turn login codes into identities",
    note = "implement `IdentityProvider`, or use `tower_wx_session::wechat::WeChat`"
)]
pub trait IdentityProvider: Send + Sync + 'static {
    /// The app that a login is for, given the appid that the client named, if it named one.
    ///
    /// `None` means that no such app is configured, or that the client must name one; the login
    /// is then refused as a bad request and no code is spent.
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str>;

    /// Exchanges a code at the provider. Called at most once per code.
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
}

impl<'a> LoginRequest<'a> {
    /// A request to exchange `code` for the app `appid`.
    #[must_use]
    pub const fn new(appid: &'a str, code: &'a str) -> Self {
        Self { appid, code }
    }

    /// The app, as [`IdentityProvider::resolve`] named it.
    #[must_use]
    pub const fn appid(&self) -> &'a str {
        self.appid
    }

    /// The code as the client sent it: not empty and at most 512 bytes. A secret until it is spent.
    #[must_use]
    pub const fn code(&self) -> &'a str {
        self.code
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
}

impl Exchanged {
    /// A user, without a session_key.
    #[must_use]
    pub const fn new(identity: Identity) -> Self {
        Self {
            identity,
            session_key: None,
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
