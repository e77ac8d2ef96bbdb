use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::details::{Detail, details};
use super::header::{ACTION, NO_STORE, action};
use super::per_kind::PerKind;
use super::protobuf::Message;
use crate::rejection::{Rejection, RejectionKind};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// A refusal as gRPC has it: for a handler that is to answer one, whatever framework it is in.
///
/// The layer answers requests with `content-type: application/grpc*` like this by itself. With
/// tonic a handler does by
/// `tonic::Status::with_details(status.code().into(), status.message(), status.details())`.
///
/// ```
/// use tower_wx_session::{Rejection, RejectionKind};
///
/// let status = Rejection::from(RejectionKind::SessionExpired).grpc_status();
/// assert_eq!(status.code(), 16);
/// assert_eq!(status.message(), "session_expired: session expired: call wx.login");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcStatus {
    kind: RejectionKind,
    retry_after: Option<Duration>,
}

impl GrpcStatus {
    pub(crate) const fn of(rejection: &Rejection) -> Self {
        Self {
            kind: rejection.kind(),
            retry_after: rejection.retry_after(),
        }
    }

    /// The status code. The layer answers 16 `UNAUTHENTICATED` wherever the client should log in,
    /// 14 `UNAVAILABLE` where the store is unavailable, 3 `INVALID_ARGUMENT` for several tokens. Of a
    /// login also 8 `RESOURCE_EXHAUSTED` (429), 7 `PERMISSION_DENIED` (403), 13 `INTERNAL` (500).
    #[must_use]
    pub const fn code(&self) -> i32 {
        self.kind.grpc_code()
    }

    /// `<reason>: <errmsg>`; printable ASCII without `%`, so that it is its own percent-encoding.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.kind.grpc_message()
    }

    /// A `google.rpc.Status` with the same code and message: an `ErrorInfo` (the reason in upper
    /// case, the domain `tower-wx-session`, the action in the metadata) and, where waiting helps,
    /// a `RetryInfo`.
    #[must_use]
    pub fn details(&self) -> Bytes {
        let mut status = Message::default();
        status.integer(1, u64::from(self.code().unsigned_abs()));
        status.bytes(2, self.message().as_bytes());
        for detail in details(self.kind, self.retry_after) {
            status.message(3, &any(&detail));
        }
        status.into_bytes()
    }
}

impl Rejection {
    /// The refusal as gRPC has it.
    #[must_use]
    pub const fn grpc_status(&self) -> GrpcStatus {
        GrpcStatus::of(self)
    }
}

/// Whether the content type is that of gRPC, grpc-web or grpc-web-text.
pub(super) fn is_grpc(content_type: &[u8]) -> bool {
    const PREFIX: &[u8] = b"application/grpc";
    let Some((prefix, rest)) = content_type.split_at_checked(PREFIX.len()) else {
        return false;
    };
    let web = [&b"-web-text"[..], b"-web"];
    let web = web.iter().find(|web| {
        let start = rest.get(..web.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(web))
    });
    let rest = &rest[web.map_or(0, |web| web.len())..];
    prefix.eq_ignore_ascii_case(PREFIX) && matches!(rest, [] | [b'+' | b';' | b' ' | b'\t', ..])
}

/// Whether the content type, which is one of gRPC, is that of grpc-web or grpc-web-text.
pub(super) fn is_web(content_type: &[u8]) -> bool {
    const PREFIX: &[u8] = b"application/grpc-web";
    let start = content_type.get(..PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// A trailers-only answer: the status is in the headers, and there is no body (gRPC over HTTP/2,
/// "Responses"; grpc-web has it likewise).
pub(super) fn response(content_type: HeaderValue, rejection: &Rejection) -> Response<Bytes> {
    let status = rejection.grpc_status();
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(ACTION, action(rejection));
    headers.insert(
        STATUS,
        HeaderValue::from_static(status.kind.grpc_code_text()),
    );
    headers.insert(MESSAGE, HeaderValue::from_static(status.message()));
    headers.insert(DETAILS, details_header(rejection));
    let mut response = Response::new(Bytes::new());
    *response.headers_mut() = headers;
    response
}

fn details_header(rejection: &Rejection) -> HeaderValue {
    static HEADERS: PerKind<HeaderValue> = PerKind::new();
    HEADERS.get(rejection, |rejection| {
        let base64 = STANDARD_NO_PAD.encode(rejection.grpc_status().details());
        HeaderValue::try_from(base64).expect("base64 is visible ASCII")
    })
}

/// `google.protobuf.Any`.
fn any(detail: &Detail) -> Message {
    let mut any = Message::default();
    any.bytes(1, format!("type.googleapis.com/{}", detail.name).as_bytes());
    any.message(2, &detail.value);
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_need_no_percent_encoding() {
        for kind in RejectionKind::ALL {
            let message = kind.grpc_message();
            let plain = |byte: &u8| matches!(byte, 0x20..=0x7e) && *byte != b'%';
            assert!(message.as_bytes().iter().all(plain), "{message}");
        }
    }

    #[test]
    fn grpc_is_known_by_its_content_type() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("Application/GRPC+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", true),
            ("application/grpc-web+proto", true),
            ("application/grpc-web-text", true),
            ("application/grpc-web-text+proto; v=1", true),
            ("application/grpcx", false),
            ("application/grpc-websocket", false),
            ("application/grp", false),
            ("text/grpc", false),
            ("", false),
        ] {
            assert_eq!(is_grpc(content_type.as_bytes()), expected, "{content_type}");
        }
    }
}
