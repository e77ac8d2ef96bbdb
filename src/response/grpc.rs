use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response};

use super::protobuf::Message;
use super::{ACTION, NO_STORE, action};
use crate::rejection::{Rejection, RejectionKind};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const DOMAIN: &str = "tower-wx-session";

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
        status.message(3, &any("google.rpc.ErrorInfo", &self.error_info()));
        if let Some(wait) = self.retry_after {
            status.message(3, &any("google.rpc.RetryInfo", &retry_info(wait)));
        }
        status.into_bytes()
    }

    fn error_info(&self) -> Message {
        let mut action = Message::default();
        action.bytes(1, b"action");
        action.bytes(2, self.kind.action().as_str().as_bytes());
        let mut info = Message::default();
        info.bytes(1, self.kind.reason().to_ascii_uppercase().as_bytes());
        info.bytes(2, DOMAIN.as_bytes());
        info.message(3, &action);
        info
    }

    /// The value of `grpc-status-details-bin`, encoded once for each kind.
    fn details_header(&self) -> HeaderValue {
        static USUAL: [OnceLock<HeaderValue>; RejectionKind::ALL.len()] =
            [const { OnceLock::new() }; RejectionKind::ALL.len()];
        if *self != Self::of(&self.kind.into()) {
            return self.encode_details();
        }
        USUAL[self.kind as usize]
            .get_or_init(|| self.encode_details())
            .clone()
    }

    fn encode_details(&self) -> HeaderValue {
        let base64 = STANDARD_NO_PAD.encode(self.details());
        HeaderValue::try_from(base64).expect("base64 is visible ASCII")
    }
}

impl Rejection {
    /// The refusal as gRPC has it.
    #[must_use]
    pub const fn grpc_status(&self) -> GrpcStatus {
        GrpcStatus::of(self)
    }
}

/// The content type of a gRPC, grpc-web or grpc-web-text request, to be echoed; `None` for others.
///
/// gRPC is always a POST. A proxy that asks whether a request may pass sends a GET with the headers
/// of that request, and would take the 200 of a gRPC refusal for a yes.
pub(super) fn content_type<'h>(method: &Method, headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
    let value = headers.get(CONTENT_TYPE)?;
    (*method == Method::POST && is_grpc(value.as_bytes())).then_some(value)
}

/// Whether the request's body may go on as long as the answer does. That of grpc-web is one message.
pub(crate) fn is_grpc_stream(method: &Method, headers: &HeaderMap) -> bool {
    const WEB: &[u8] = b"application/grpc-web";
    content_type(method, headers).is_some_and(|content_type| {
        let start = content_type.as_bytes().get(..WEB.len());
        !start.is_some_and(|start| start.eq_ignore_ascii_case(WEB))
    })
}

fn is_grpc(content_type: &[u8]) -> bool {
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
    headers.insert(DETAILS, status.details_header());
    let mut response = Response::new(Bytes::new());
    *response.headers_mut() = headers;
    response
}

/// `google.protobuf.Any`.
fn any(name: &str, value: &Message) -> Message {
    let mut any = Message::default();
    any.bytes(1, format!("type.googleapis.com/{name}").as_bytes());
    any.message(2, value);
    any
}

fn retry_info(wait: Duration) -> Message {
    let mut delay = Message::default();
    delay.integer(1, wait.as_secs());
    delay.integer(2, wait.subsec_nanos().into());
    let mut info = Message::default();
    info.message(1, &delay);
    info
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
    fn each_kind_has_its_own_details() {
        for kind in RejectionKind::ALL {
            let status = Rejection::from(*kind).grpc_status();
            for _first_and_again in 0..2 {
                assert_eq!(status.details_header(), status.encode_details());
            }
        }
        let patient = Rejection::from(RejectionKind::RateLimited).retry_in(Duration::from_secs(7));
        let usual = Rejection::from(RejectionKind::RateLimited);
        assert_ne!(
            patient.grpc_status().details_header(),
            usual.grpc_status().details_header()
        );
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
