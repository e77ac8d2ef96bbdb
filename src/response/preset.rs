use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};

use super::header::{ACTION, NO_STORE, action};
use super::per_kind::PerKind;
use super::responder::ResponseForRejection;
use crate::rejection::{Action, Rejection, RejectionKind};

/// The key by which clients of the first Wafer SDK know an answer of the session layer.
pub(crate) const WAFER_MAGIC: &str = "F2C224D4-2BCE-4C64-AF9F-A6D872000D1A";

/// The forms of a refusal that clients in the field understand.
///
/// Each is known by its name in configuration: `json`, `ok_json`, `wafer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// The status says what is wrong, and so does the body.
    #[default]
    Json,
    /// The same with status 200, for clients that look at bodies only.
    ///
    /// **Not behind a proxy that checks requests** (`auth_request`, `ForwardAuth`): it takes 200 for
    /// a pass.
    OkJson,
    /// For both generations of Wafer clients: where they should log in, status 200 and what they
    /// look for besides the same object; a fault of the server never sends them to `wx.login`.
    ///
    /// **Not behind a proxy that checks requests**, for the same reason as `OkJson`.
    Wafer,
}

impl ResponseForRejection for Preset {
    fn response_for_rejection(&self, rejection: &Rejection, _: &Parts) -> Response<Bytes> {
        self.response(rejection)
    }

    fn serves_wafer(&self) -> bool {
        *self == Self::Wafer
    }

    fn names_action(&self) -> bool {
        true
    }
}

impl Preset {
    pub(super) fn response(self, rejection: &Rejection) -> Response<Bytes> {
        let mut response = Response::new(self.body(rejection.kind()));
        *response.status_mut() = self.status(rejection.kind());
        *response.headers_mut() = headers(rejection);
        response
    }

    fn status(self, kind: RejectionKind) -> StatusCode {
        match (self, kind.action()) {
            (Self::OkJson, _) | (Self::Wafer, Action::Login) => StatusCode::OK,
            _ => kind.status(),
        }
    }

    fn body(self, kind: RejectionKind) -> Bytes {
        let object = kind.open_json();
        match (self, kind.action()) {
            (Self::Json | Self::OkJson, _) => Bytes::from_static(kind.json().as_bytes()),
            (Self::Wafer, Action::Login) => {
                let error = r#""error":"ERR_INVALID_SESSION""#;
                format!(r#"{object},"{WAFER_MAGIC}":1,"code":-1,{error}}}"#).into()
            }
            (Self::Wafer, _) => {
                let code = kind.status().as_u16();
                format!(r#"{object},"code":{code}}}"#).into()
            }
        }
    }
}

pub(super) fn headers(rejection: &Rejection) -> HeaderMap {
    static HEADERS: PerKind<HeaderMap> = PerKind::new();
    HEADERS.get(rejection, make_headers)
}

fn make_headers(rejection: &Rejection) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(ACTION, action(rejection));
    if let Some(challenge) = challenge(rejection.kind()) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(wait) = rejection.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    headers
}

/// Rounded up, so that a client that waits that long has waited long enough; never zero.
const fn whole_seconds(wait: Duration) -> u64 {
    let more = wait.subsec_nanos() > 0 || wait.is_zero();
    wait.as_secs().saturating_add(more as u64)
}

/// RFC 6750 §3: a request without a token gets a challenge without an error code.
const fn challenge(kind: RejectionKind) -> Option<&'static str> {
    match kind {
        RejectionKind::SessionMissing => Some("Bearer"),
        RejectionKind::AmbiguousToken => Some(kind.invalid_request()),
        RejectionKind::SessionMalformed
        | RejectionKind::SessionUnknown
        | RejectionKind::SessionIdleExpired
        | RejectionKind::SessionExpired
        | RejectionKind::SessionRevoked
        | RejectionKind::SessionKickedOut
        | RejectionKind::SessionReplaced => Some(kind.invalid_token()),
        _ => None,
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::OkJson => "ok_json",
            Self::Wafer => "wafer",
        })
    }
}

impl FromStr for Preset {
    type Err = ParsePresetError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Json, Self::OkJson, Self::Wafer]
            .into_iter()
            .find(|preset| preset.to_string() == name)
            .ok_or_else(|| ParsePresetError {
                name: name.to_owned(),
            })
    }
}

/// The name is not that of a [`Preset`].
///
/// ```
/// use tower_wx_session::response::Preset;
///
/// let error = "xml".parse::<Preset>().unwrap_err();
/// assert_eq!(error.to_string(), r#"expected one of json, ok_json, wafer, got "xml""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePresetError {
    name: String,
}

impl fmt::Display for ParsePresetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected one of json, ok_json, wafer, got {:?}",
            self.name
        )
    }
}

impl Error for ParsePresetError {}
