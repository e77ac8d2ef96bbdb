use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::cause::Cause;
use crate::rejection::{Rejection, RejectionKind};

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
