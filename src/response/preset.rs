use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderValue, REFERER, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, Uri};

use super::cause::add_cause;
use super::header::{ACTION, NO_STORE, action};
use super::per_kind::PerKind;
use super::responder::ResponseForRejection;
use crate::rejection::{Action, Rejection, RejectionKind};

/// The key by which clients of the first Wafer SDK know an answer of the session layer.
pub(crate) const WAFER_MAGIC: &str = "F2C224D4-2BCE-4C64-AF9F-A6D872000D1A";

/// The forms of a refusal that clients in the field understand.
///
/// Each is known by its name in configuration: `json`, `ok_json`, `ok_code`, `by_platform`, `wafer`.
///
/// **All but `Json` are not for a proxy that checks requests** (`auth_request`, `ForwardAuth`): they
/// answer 200, which it takes for a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Preset {
    /// The status says what is wrong, and so does the body.
    #[default]
    Json,
    /// The same with status 200, for clients that look at bodies only.
    OkJson,
    /// The same as `OkJson`, and `errcode` once more as `code`: for templates of mini programs whose
    /// request function tests `data.code === 401`.
    OkCode,
    /// `OkJson` for mini programs of Alipay, where some client libraries lose the body of every other
    /// status, and `Json` for everybody else.
    ///
    /// They are known by the `Referer` that the platform sets. Outside of it anybody can send one, so
    /// it decides about the form of a refusal and nothing else.
    ByPlatform,
    /// For both generations of Wafer clients: where they should log in, status 200 and what they
    /// look for besides the same object; a fault of the server never sends them to `wx.login`.
    Wafer,
}

impl ResponseForRejection for Preset {
    fn response_for_rejection(&self, rejection: &Rejection, head: &Parts) -> Response<Bytes> {
        match self {
            Self::ByPlatform if is_of_alipay(head) => Self::OkJson.response(rejection),
            preset => preset.response(rejection),
        }
    }

    fn serves_wafer(&self) -> bool {
        *self == Self::Wafer
    }
}

impl Preset {
    const ALL: [Self; 5] = [
        Self::Json,
        Self::OkJson,
        Self::OkCode,
        Self::ByPlatform,
        Self::Wafer,
    ];

    #[inline]
    pub(super) fn response(self, rejection: &Rejection) -> Response<Bytes> {
        static MADE: [PerKind<Response<Bytes>>; Preset::ALL.len()] =
            [const { PerKind::new() }; Preset::ALL.len()];
        MADE[self as usize].get(rejection, |rejection| self.make_response(rejection))
    }

    /// With a rejection in the extensions, so that there is a place for one in each copy.
    fn make_response(self, rejection: &Rejection) -> Response<Bytes> {
        let mut response = Response::new(self.body(rejection.kind()));
        *response.status_mut() = self.status(rejection.kind());
        *response.headers_mut() = headers(rejection);
        add_cause(&mut response, rejection.kind().into());
        response
    }

    fn status(self, kind: RejectionKind) -> StatusCode {
        match (self, kind.action()) {
            (Self::OkJson | Self::OkCode, _) | (Self::Wafer, Action::Login) => StatusCode::OK,
            _ => kind.status(),
        }
    }

    fn body(self, kind: RejectionKind) -> Bytes {
        let object = kind.open_json();
        match (self, kind.action()) {
            (Self::Json | Self::OkJson | Self::ByPlatform, _) => {
                Bytes::from_static(kind.json().as_bytes())
            }
            (Self::Wafer, Action::Login) => {
                let error = r#""error":"ERR_INVALID_SESSION""#;
                format!(r#"{object},"{WAFER_MAGIC}":1,"code":-1,{error}}}"#).into()
            }
            (Self::Wafer | Self::OkCode, _) => {
                let code = kind.status().as_u16();
                format!(r#"{object},"code":{code}}}"#).into()
            }
        }
    }
}

/// Whether a mini program of Alipay sent it: `https://{appid}.hybrid.alipay-eco.com/…`.
fn is_of_alipay(head: &Parts) -> bool {
    let referer = head
        .headers
        .get(REFERER)
        .and_then(|value| value.to_str().ok());
    let referer = referer.and_then(|referer| referer.parse::<Uri>().ok());
    let host = referer.as_ref().and_then(Uri::host);
    host.is_some_and(|host| host.ends_with(".hybrid.alipay-eco.com"))
}

fn headers(rejection: &Rejection) -> HeaderMap {
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
        | RejectionKind::SessionReplaced
        | RejectionKind::SessionKeyExpired => Some(kind.invalid_token()),
        _ => None,
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::OkJson => "ok_json",
            Self::OkCode => "ok_code",
            Self::ByPlatform => "by_platform",
            Self::Wafer => "wafer",
        })
    }
}

impl FromStr for Preset {
    type Err = ParsePresetError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
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
/// assert_eq!(error.to_string(), r#"expected one of json, ok_json, ok_code, by_platform, wafer, got "xml""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePresetError {
    name: String,
}

impl fmt::Display for ParsePresetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected one of json, ok_json, ok_code, by_platform, wafer, got {:?}",
            self.name
        )
    }
}

impl Error for ParsePresetError {}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn of_alipay(referer: &str) -> bool {
        let request = Request::get("/me").header(REFERER, referer).body(());
        is_of_alipay(&request.unwrap().into_parts().0)
    }

    #[test]
    fn alipay_is_known_by_the_host_of_its_referer() {
        assert!(of_alipay(
            "https://2021000000000001.hybrid.alipay-eco.com/2021000000000001/0.2.2404/index.html"
        ));
        for other in [
            "https://servicewechat.com/wxa/0/page-frame.html",
            "https://example.com/?from=x.hybrid.alipay-eco.com",
            "https://hybrid.alipay-eco.com.example.com/",
            "not a URI",
            "",
        ] {
            assert!(!of_alipay(other), "{other}");
        }
    }
}
