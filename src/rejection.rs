use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::cause::Cause;

/// What a client should do about a refusal; all that it needs to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Call `wx.login`, then send the request once more.
    Login,
    /// Wait for `Retry-After` seconds and send the request again (at login: with a fresh code).
    Retry,
    /// Show an error: neither waiting nor logging in helps.
    None,
}

impl Action {
    /// The word on the wire: `login`, `retry` or `none`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Retry => "retry",
            Self::None => "none",
        }
    }
}

/// One row per kind: the single place that ties a kind to what clients see of it.
macro_rules! rejection_kinds {
    ($($(#[$doc:meta])* $kind:ident = $status:literal $grpc:literal $reason:literal $message:literal $action:ident $word:literal;)*) => {
        /// Why a request was refused: stable and machine-readable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RejectionKind {
            $($(#[$doc])* $kind,)*
        }

        impl RejectionKind {
            /// Every kind, in the order of the two tables on the wire.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            const fn code(self) -> u16 {
                match self { $(Self::$kind => $status,)* }
            }

            /// The gRPC status code.
            pub(crate) const fn grpc_code(self) -> i32 {
                match self { $(Self::$kind => $grpc,)* }
            }

            /// The same as text.
            pub(crate) const fn grpc_code_text(self) -> &'static str {
                match self { $(Self::$kind => stringify!($grpc),)* }
            }

            /// `<reason>: <errmsg>`.
            pub(crate) const fn grpc_message(self) -> &'static str {
                match self { $(Self::$kind => concat!($reason, ": ", $message),)* }
            }

            /// The `reason` on the wire, such as `session_expired`.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$kind => $reason,)* }
            }

            /// The `errmsg` on the wire: a sentence for people.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$kind => $message,)* }
            }

            /// The `action` on the wire.
            #[must_use]
            pub const fn action(self) -> Action {
                match self { $(Self::$kind => Action::$action,)* }
            }

            /// The JSON object.
            pub(crate) const fn json(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!(
                        "{\"errcode\":", $status, ",\"errmsg\":\"", $message,
                        "\",\"reason\":\"", $reason, "\",\"action\":\"", $word, "\"}",
                    ),)*
                }
            }

            /// The challenge that says the token is at fault (RFC 6750 §3.1).
            pub(crate) const fn invalid_token(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!(
                        "Bearer error=\"invalid_token\", error_description=\"", $message, "\"",
                    ),)*
                }
            }

            /// The challenge that says the request is at fault (RFC 6750 §3.1).
            pub(crate) const fn invalid_request(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!(
                        "Bearer error=\"invalid_request\", error_description=\"", $message, "\"",
                    ),)*
                }
            }
        }
    };
}

rejection_kinds! {
    /// The request carries no session token.
    SessionMissing = 401 16 "session_missing" "no session token: call wx.login" Login "login";
    /// The token is not one of ours: wrong length, alphabet, prefix, version or tag.
    SessionMalformed = 401 16 "session_malformed" "not a session token: call wx.login" Login "login";
    /// The store has never seen the token, or has long forgotten it.
    SessionUnknown = 401 16 "session_unknown" "session not known: call wx.login" Login "login";
    /// The idle timeout has passed.
    SessionIdleExpired = 401 16 "session_idle_expired" "session idle for too long: call wx.login" Login "login";
    /// The absolute lifetime has passed.
    SessionExpired = 401 16 "session_expired" "session expired: call wx.login" Login "login";
    /// The user logged out.
    SessionRevoked = 401 16 "session_revoked" "session logged out: call wx.login" Login "login";
    /// An administrator ended the session.
    SessionKickedOut = 401 16 "session_kicked_out" "session ended by the service: call wx.login" Login "login";
    /// A newer login, or a rotation, took the session's place.
    SessionReplaced = 401 16 "session_replaced" "session replaced by a newer login: call wx.login" Login "login";
    /// The platform called the user's session_key over.
    SessionKeyExpired = 401 16 "session_key_expired" "session_key expired: call wx.login" Login "login";
    /// The request carries several different tokens.
    AmbiguousToken = 400 3 "ambiguous_token" "several different session tokens" None "none";
    /// The store is unavailable, so that nothing proves the session live or over.
    StoreUnavailable = 503 14 "store_unavailable" "session store unavailable: retry" Retry "retry";
    /// The provider refused the code, or the code was already used.
    CodeRejected = 400 16 "code_rejected" "login code rejected: call wx.login" Login "login";
    /// The provider did not answer, or not readably; or too many exchanges are in flight.
    ProviderUnavailable = 503 14 "provider_unavailable" "login provider unavailable: retry with a fresh code" Retry "retry";
    /// The provider's quota is used up.
    RateLimited = 429 8 "rate_limited" "too many logins: retry later with a fresh code" Retry "retry";
    /// The provider or the application does not let this user in.
    UserBlocked = 403 7 "user_blocked" "user may not log in" None "none";
    /// The provider refused the app's own credentials or configuration.
    ProviderMisconfigured = 500 13 "provider_misconfigured" "login is misconfigured on the server" None "none";
    /// The login request carries no usable code or appid.
    BadRequest = 400 3 "bad_request" "no usable login code or appid in the request" None "none";
    /// The login endpoint does not take this method.
    MethodNotAllowed = 405 12 "bad_request" "method not allowed at the login endpoint" None "none";
}

impl RejectionKind {
    /// The JSON object without its closing brace, so that a preset can add to it.
    pub(crate) fn open_json(self) -> &'static str {
        self.json().trim_end_matches('}')
    }

    /// The status that the preset `json` answers with.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// How long the client should wait, unless the cause says otherwise.
    const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::StoreUnavailable => Some(Duration::from_secs(1)),
            Self::ProviderUnavailable => Some(Duration::from_secs(3)),
            Self::RateLimited => Some(Duration::from_secs(60)),
            _ => None,
        }
    }
}

/// Why a request was refused.
///
/// It is in the extensions of every refusal, whatever the response looks like, so that a layer
/// outside can count or log it. Its text and its `Debug` hold no secret. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Rejection {
    kind: RejectionKind,
    retry_after: Option<Duration>,
    cause: Cause,
}

impl Rejection {
    /// The kind, to match on.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// How long the client should wait before it tries again; `None` where waiting does not help.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the client should wait as long as for others of this kind.
    pub(crate) fn waits_as_usual(&self) -> bool {
        self.retry_after == self.kind.retry_after()
    }

    pub(crate) fn caused_by(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            cause: Cause::new(source),
            ..self
        }
    }

    pub(crate) fn retry_in(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }
}

impl From<RejectionKind> for Rejection {
    fn from(kind: RejectionKind) -> Self {
        Self {
            kind,
            retry_after: kind.retry_after(),
            cause: Cause::UNKNOWN,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.message())
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}
