use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::cause::Cause;
use crate::login::{ExchangeError, ExchangeErrorKind};
use crate::platform::api::Failure;
use crate::platform::errcode::{self, classify};

/// Why a call of a WeChat API gave nothing.
///
/// Its text, with that of its source, is for the operator's log: it has WeChat's `errcode`, `errmsg`
/// and `rid`, or what went wrong on the way, and no secret. The [module docs](super) say which
/// `errcode` is of which kind.
#[derive(Clone, Debug)]
pub struct ApiError {
    kind: ApiErrorKind,
    errcode: Option<i64>,
    cause: Cause,
}

/// The kinds of [`ApiError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiErrorKind {
    /// The code is wrong, expired or used: the user has to get another one.
    CodeRejected,
    /// The session_key is over: the client has to log in.
    SessionKeyOver,
    /// Busy, timed out, unreachable or unreadable; or WeChat refuses its own access_token. A code
    /// that was sent may be spent.
    Unavailable,
    /// A quota is used up for this long.
    RateLimited(Duration),
    /// WeChat has blocked the user.
    UserBlocked,
    /// The app's credentials, rights or settings at WeChat are wrong.
    Misconfigured,
    /// WeChat knows no such user, or no such app is configured here.
    BadRequest,
}

impl ApiError {
    /// What came of a call, without any of the secrets.
    pub(super) fn failed(failure: Failure, secrets: &[&str]) -> Self {
        Self {
            kind: failure.kind().into(),
            errcode: None,
            cause: Cause::new(failure.masked(secrets).to_string()),
        }
    }

    /// A refusal by `errcode`, without any of the secrets.
    pub(super) fn refused(errcode: i64, errmsg: Option<&str>, secrets: &[&str]) -> Self {
        let failure = errcode::refusal(errcode, errmsg);
        Self {
            kind: kind_of(errcode),
            errcode: Some(errcode),
            ..Self::failed(failure, secrets)
        }
    }

    /// The kind, to match on.
    #[must_use]
    pub const fn kind(&self) -> ApiErrorKind {
        self.kind
    }

    /// WeChat's `errcode`, where the API answered with one.
    #[must_use]
    pub const fn errcode(&self) -> Option<i64> {
        self.errcode
    }

    /// Whether the API refused our access_token, and so has not looked at the rest.
    pub(super) const fn is_about_the_token(&self) -> bool {
        matches!(self.errcode, Some(errcode) if is_about_the_token(errcode))
    }
}

const fn is_about_the_token(errcode: i64) -> bool {
    matches!(errcode, 40001 | 40014 | 42001)
}

const fn kind_of(errcode: i64) -> ApiErrorKind {
    match errcode {
        87007 | 87009 => ApiErrorKind::SessionKeyOver,
        10001000 | 10001001 => ApiErrorKind::CodeRejected,
        40003 => ApiErrorKind::BadRequest,
        // A second time: the one that WeChat has just given.
        errcode if is_about_the_token(errcode) => ApiErrorKind::Unavailable,
        errcode => ApiErrorKind::of_exchange(classify(errcode)),
    }
}

impl ApiErrorKind {
    const fn of_exchange(kind: ExchangeErrorKind) -> Self {
        match kind {
            ExchangeErrorKind::CodeRejected => Self::CodeRejected,
            ExchangeErrorKind::Unavailable => Self::Unavailable,
            ExchangeErrorKind::RateLimited(wait) => Self::RateLimited(wait),
            ExchangeErrorKind::UserBlocked => Self::UserBlocked,
            ExchangeErrorKind::Misconfigured => Self::Misconfigured,
            ExchangeErrorKind::BadRequest => Self::BadRequest,
        }
    }

    const fn to_exchange(self) -> ExchangeErrorKind {
        match self {
            Self::CodeRejected => ExchangeErrorKind::CodeRejected,
            Self::Unavailable => ExchangeErrorKind::Unavailable,
            Self::RateLimited(wait) => ExchangeErrorKind::RateLimited(wait),
            Self::UserBlocked => ExchangeErrorKind::UserBlocked,
            Self::Misconfigured | Self::SessionKeyOver => ExchangeErrorKind::Misconfigured,
            Self::BadRequest => ExchangeErrorKind::BadRequest,
        }
    }
}

impl From<ExchangeErrorKind> for ApiErrorKind {
    fn from(kind: ExchangeErrorKind) -> Self {
        Self::of_exchange(kind)
    }
}

/// The error of a login that takes an API.
impl From<ApiError> for ExchangeError {
    fn from(error: ApiError) -> Self {
        Self::new(error.kind.to_exchange()).caused_by(error)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ApiErrorKind::CodeRejected => "code rejected by WeChat",
            ApiErrorKind::SessionKeyOver => "session_key over: the client has to log in",
            ApiErrorKind::Unavailable => "WeChat unavailable",
            ApiErrorKind::RateLimited(_) => "WeChat's quota used up",
            ApiErrorKind::UserBlocked => "user blocked by WeChat",
            ApiErrorKind::Misconfigured => "WeChat refused our configuration",
            ApiErrorKind::BadRequest => "no such user or app",
        })
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

#[cfg(test)]
mod tests {
    use super::ApiErrorKind::*;
    use super::*;

    #[test]
    fn every_errcode_of_an_api_has_its_kind() {
        let table: &[(ApiErrorKind, &[i64])] = &[
            (CodeRejected, &[40029, 40163, 10001000, 10001001]),
            (SessionKeyOver, &[87007, 87009]),
            (Unavailable, &[-1, 40001, 40014, 42001]),
            (RateLimited(Duration::from_secs(60)), &[45011]),
            (RateLimited(Duration::from_secs(3600)), &[45009]),
            (UserBlocked, &[40226, 50001, 50002]),
            (BadRequest, &[40003, 41008]),
            (
                Misconfigured,
                &[
                    40013, 40125, 40164, 40243, 48001, 87008, 87010, 89503, 10001002, 10001003,
                    10001004, 10001005, 12345,
                ],
            ),
        ];
        for (kind, errcodes) in table {
            for &errcode in *errcodes {
                let error = ApiError::refused(errcode, None, &[]);
                assert_eq!((error.kind(), error.errcode()), (*kind, Some(errcode)));
            }
        }
    }

    #[test]
    fn what_wechat_s_message_does_not_say_is_named() {
        let error = ApiError::refused(40243, Some("secret s3cr3t frozen, rid: 1-2"), &["s3cr3t"]);
        assert_eq!(error.to_string(), "WeChat refused our configuration");
        assert_eq!(
            error.source().unwrap().to_string(),
            "errcode 40243: secret ****** frozen, rid: 1-2 (the AppSecret is frozen)"
        );
    }
}
