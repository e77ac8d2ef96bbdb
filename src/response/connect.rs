//! Connect's own protocol: <https://connectrpc.com/docs/protocol>.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode, Uri};
use serde::Serialize;

use super::details::{Detail, details};
use super::header::{ACTION, NO_STORE, action};
use super::per_kind::PerKind;
use super::preset::Preset;
use crate::rejection::Rejection;

const VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");
/// The flag of the envelope that ends a stream.
const END: u8 = 2;

impl Rejection {
    /// The refusal as an error of [Connect](https://connectrpc.com/docs/protocol#error-end-stream), in
    /// JSON: the code, `<reason>: <errmsg>`, and the details of [`GrpcStatus`](super::GrpcStatus).
    ///
    /// The layer answers clients of Connect like this by itself. A handler of the crate `connectrpc`
    /// reads its `ConnectError` out of it, by `serde_json::from_slice`.
    ///
    /// ```
    /// use tower_wx_session::{Rejection, RejectionKind};
    ///
    /// let error = Rejection::from(RejectionKind::SessionExpired).connect_error();
    /// let error: serde_json::Value = serde_json::from_slice(&error).unwrap();
    /// assert_eq!(error["code"], "unauthenticated");
    /// assert_eq!(error["message"], "session_expired: session expired: call wx.login");
    /// ```
    #[must_use]
    pub fn connect_error(&self) -> Bytes {
        static ERRORS: PerKind<Bytes> = PerKind::new();
        ERRORS.get(self, |rejection| json(&ConnectError::of(rejection)).into())
    }
}

/// Whether a GET is a call of Connect's: of a method without side effects.
pub(super) fn is_get(uri: &Uri) -> bool {
    let query = uri.query();
    query.is_some_and(|query| query.split('&').any(|pair| pair == "connect=v1"))
}

/// Whether the content type is that of a stream.
pub(super) fn is_stream(content_type: &[u8]) -> bool {
    const PREFIX: &[u8] = b"application/connect+";
    let start = content_type.get(..PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

pub(super) fn has_version(headers: &HeaderMap) -> bool {
    headers.get(VERSION).is_some_and(|version| version == "1")
}

/// A call with one message each way has the status, and the headers, of HTTP.
pub(super) fn unary(rejection: &Rejection) -> Response<Bytes> {
    let mut response = Preset::Json.response(rejection);
    *response.status_mut() = code(rejection).1;
    *response.body_mut() = rejection.connect_error();
    response
}

/// A stream succeeds in HTTP, and says in its last envelope what went wrong. Here that is the first.
pub(super) fn stream(content_type: HeaderValue, rejection: &Rejection) -> Response<Bytes> {
    static ENDS: PerKind<Bytes> = PerKind::new();
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(ACTION, action(rejection));
    let mut response = Response::new(ENDS.get(rejection, end_of_stream));
    *response.headers_mut() = headers;
    response
}

fn end_of_stream(rejection: &Rejection) -> Bytes {
    let error = ConnectError::of(rejection);
    let message = json(&EndOfStream { error });
    let length = message.len() as u32;
    [&[END], &length.to_be_bytes()[..], &message]
        .concat()
        .into()
}

/// The name of a gRPC code in Connect, and its status in HTTP.
const fn code(rejection: &Rejection) -> (&'static str, StatusCode) {
    match rejection.grpc_status().code() {
        3 => ("invalid_argument", StatusCode::BAD_REQUEST),
        7 => ("permission_denied", StatusCode::FORBIDDEN),
        8 => ("resource_exhausted", StatusCode::TOO_MANY_REQUESTS),
        12 => ("unimplemented", StatusCode::NOT_IMPLEMENTED),
        13 => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
        14 => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
        16 => ("unauthenticated", StatusCode::UNAUTHORIZED),
        _ => ("unknown", StatusCode::INTERNAL_SERVER_ERROR),
    }
}

#[derive(Serialize)]
struct EndOfStream {
    error: ConnectError,
}

#[derive(Serialize)]
struct ConnectError {
    code: &'static str,
    message: &'static str,
    details: Vec<ErrorDetail>,
}

impl ConnectError {
    fn of(rejection: &Rejection) -> Self {
        Self {
            code: code(rejection).0,
            message: rejection.grpc_status().message(),
            details: details(rejection.kind(), rejection.retry_after())
                .map(ErrorDetail::from)
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct ErrorDetail {
    r#type: &'static str,
    /// In base64 without padding.
    value: String,
}

impl From<Detail> for ErrorDetail {
    fn from(detail: Detail) -> Self {
        Self {
            r#type: detail.name,
            value: STANDARD_NO_PAD.encode(detail.value.into_bytes()),
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("structs of strings can be written as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::RejectionKind;

    #[test]
    fn every_code_has_a_name() {
        for kind in RejectionKind::ALL {
            assert_ne!(code(&Rejection::from(*kind)).0, "unknown", "{kind:?}");
        }
    }

    #[test]
    fn streams_are_known_by_their_content_type() {
        for (content_type, expected) in [
            ("application/connect+proto", true),
            ("Application/Connect+json; charset=utf-8", true),
            ("application/connect", false),
            ("application/connect-web", false),
            ("application/proto", false),
            ("", false),
        ] {
            let is_stream = is_stream(content_type.as_bytes());
            assert_eq!(is_stream, expected, "{content_type}");
        }
    }

    #[test]
    fn a_get_is_known_by_its_query() {
        for (uri, expected) in [
            ("/a?connect=v1", true),
            ("/a?message=&connect=v1&encoding=json", true),
            ("/a?connect=v11", false),
            ("/a?reconnect=v1", false),
            ("/a?message=connect=v1", false),
            ("/connect=v1", false),
        ] {
            assert_eq!(is_get(&Uri::from_static(uri)), expected, "{uri}");
        }
    }
}
