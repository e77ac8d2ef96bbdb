use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::cause::Cause;
use crate::identity::Identity;
use crate::rejection::{Rejection, RejectionKind};
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

/// Why a code could not be exchanged.
///
/// Its text goes to the operator's log and never to a client, and must hold no secret.
#[derive(Clone, Debug)]
pub struct ExchangeError {
    kind: ExchangeErrorKind,
    cause: Cause,
}

/// The kinds of [`ExchangeError`], each with one answer on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeErrorKind {
    /// The code is wrong, expired or used: the client takes a fresh one (400 `code_rejected`).
    CodeRejected,
    /// Busy, timed out, unreachable or unreadable: the code may be spent (503 `provider_unavailable`).
    Unavailable,
    /// A quota is used up for this long (429 `rate_limited`).
    RateLimited(Duration),
    /// The user may not log in, and another code will not help (403 `user_blocked`).
    UserBlocked,
    /// Our own credentials or configuration are wrong (500 `provider_misconfigured`).
    Misconfigured,
    /// The provider saw no code in the request (400 `bad_request`).
    BadRequest,
}

impl ExchangeError {
    /// An error of this kind, without a cause.
    #[must_use]
    pub const fn new(kind: ExchangeErrorKind) -> Self {
        Self {
            kind,
            cause: Cause::UNKNOWN,
        }
    }

    /// Adds the cause, for the log. It must hold no secret: no URL with a query, no code.
    #[must_use]
    pub fn caused_by(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Cause::new(source),
            ..self
        }
    }

    /// The kind, to match on.
    #[must_use]
    pub const fn kind(&self) -> ExchangeErrorKind {
        self.kind
    }
}

impl ExchangeErrorKind {
    pub(crate) const fn rejection(self) -> RejectionKind {
        match self {
            Self::CodeRejected => RejectionKind::CodeRejected,
            Self::Unavailable => RejectionKind::ProviderUnavailable,
            Self::RateLimited(_) => RejectionKind::RateLimited,
            Self::UserBlocked => RejectionKind::UserBlocked,
            Self::Misconfigured => RejectionKind::ProviderMisconfigured,
            Self::BadRequest => RejectionKind::BadRequest,
        }
    }
}

impl From<ExchangeError> for Rejection {
    fn from(error: ExchangeError) -> Self {
        let rejection = Self::from(error.kind().rejection());
        match error.kind() {
            ExchangeErrorKind::RateLimited(wait) => rejection.retry_in(wait),
            _ => rejection,
        }
        .caused_by(error)
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ExchangeErrorKind::CodeRejected => "login code rejected by the provider",
            ExchangeErrorKind::Unavailable => "login provider unavailable",
            ExchangeErrorKind::RateLimited(_) => "login provider's quota used up",
            ExchangeErrorKind::UserBlocked => "user blocked by the provider",
            ExchangeErrorKind::Misconfigured => "login provider refused our configuration",
            ExchangeErrorKind::BadRequest => "login provider saw no code",
        })
    }
}

impl Error for ExchangeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}
