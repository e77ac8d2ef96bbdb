//! What a refusal looks like on the wire.
//!
//! The body is always a JSON object:
//!
//! ```json
//! {"errcode":401,"errmsg":"session idle for too long: call wx.login","reason":"session_idle_expired","action":"login"}
//! ```
//!
//! `action` is all that a client needs: `login` = call `wx.login`, then send the request once
//! more; `retry` = wait `Retry-After` seconds (at login: then take a fresh code); `none` = show an
//! error. `errcode` is the status of the preset `json`, never a code of WeChat's.
//!
//! The header `X-WX-Action` says the same, whatever the body looks like: proxies and request
//! libraries that lose the body keep it.
//!
//! # What is refused, and how
//!
//! | case | status | `reason` | `action` | gRPC |
//! |---|---|---|---|---|
//! | no token | 401 | `session_missing` | `login` | 16 |
//! | not a token of ours, or a forged one | 401 | `session_malformed` | `login` | 16 |
//! | never seen, or forgotten: one idle timeout after it expired | 401 | `session_unknown` | `login` | 16 |
//! | idle timeout passed | 401 | `session_idle_expired` | `login` | 16 |
//! | absolute lifetime passed | 401 | `session_expired` | `login` | 16 |
//! | logged out | 401 | `session_revoked` | `login` | 16 |
//! | ended by an administrator | 401 | `session_kicked_out` | `login` | 16 |
//! | pushed out by a newer login | 401 | `session_replaced` | `login` | 16 |
//! | [followed](crate::sessions::SessionsBuilder::following_session_keys) and the session_key is over | 401 | `session_key_expired` | `login` | 16 |
//! | several different tokens in one request | 400 | `ambiguous_token` | `none` | 3 |
//! | the store is unavailable | 503 | `store_unavailable` | `retry` | 14 |
//!
//! A 401 has `WWW-Authenticate: Bearer`, with the error `invalid_token` unless there was no token; a
//! 503 has `Retry-After: 1`; every refusal has `Cache-Control: no-store`. Only proof gives 401: a store
//! that is unavailable is never reported as an expired session.
//!
//! The [login](crate::login) refuses with these besides:
//!
//! | case | status | `reason` | `action` | gRPC |
//! |---|---|---|---|---|
//! | the code is wrong, used or too old | 400 | `code_rejected` | `login` | 16 |
//! | the provider does not answer, or too many log in at once | 503 | `provider_unavailable` | `retry` | 14 |
//! | the provider's quota is used up | 429 | `rate_limited` | `retry` | 8 |
//! | the provider, or `on_login`, refuses the user | 403 | `user_blocked` | `none` | 7 |
//! | the app's credentials or settings are wrong | 500 | `provider_misconfigured` | `none` | 13 |
//! | no usable code or appid; another method | 400; 405 | `bad_request` | `none` | 3; 12 |
//!
//! # Other forms
//!
//! | preset | for whom |
//! |---|---|
//! | [`Preset::OkJson`] | clients that look at bodies only: the same with status 200 |
//! | [`Preset::OkCode`] | templates that test `data.code === 401`: `errcode` once more as `code` |
//! | [`Preset::ByPlatform`] | mini programs of Alipay besides others: `OkJson` for those |
//! | [`Preset::Wafer`] | clients of both Wafer SDKs |
//!
//! **A proxy that checks requests** (nginx's `auth_request`, Traefik's `ForwardAuth`) takes every
//! 2xx for a pass: behind one, every preset but [`Json`](Preset::Json) lets everybody in, and so does
//! a closure that answers 200.
//!
//! A closure makes refusals look any other way. One with a second argument sees the head of the
//! request, too:
//!
//! ```
//! use bytes::Bytes;
//! use http::header::ACCEPT_LANGUAGE;
//! use http::request::Parts;
//! use tower_wx_session::{Rejection, SessionLayer, Sessions, store::MemoryStore};
//!
//! let layer = SessionLayer::new(Sessions::new(MemoryStore::new()))
//!     .with_rejection_response(|rejection: &Rejection, head: &Parts| {
//!         let reads_chinese = head.headers.get(ACCEPT_LANGUAGE).is_some_and(|value| value == "zh-CN");
//!         let text = if reads_chinese { "请重新登录" } else { "please log in" };
//!         // The status and the headers stay as they are: clients look for them.
//!         rejection.to_response(head).map(|_| Bytes::from(text))
//!     });
//! ```
//!
//! # gRPC and Connect
//!
//! Their clients look for other things, so these requests are answered in their protocol whatever else
//! is configured:
//!
//! | request | answer |
//! |---|---|
//! | gRPC, grpc-web: a POST with `content-type: application/grpc*` | trailers only: `grpc-status`, `grpc-message` and `grpc-status-details-bin`; see [`GrpcStatus`] |
//! | a stream of Connect's: a POST with `content-type: application/connect+*` | HTTP 200, and one envelope that ends the stream: `{"error":…}` |
//! | a unary call of Connect's: a POST with `connect-protocol-version: 1`, or a GET with `connect=v1` in its query | the HTTP status of the code, the headers of [`Preset::Json`], and the error as the body |
//!
//! The error is that of [`Rejection::connect_error`]. Its code is the one of gRPC by another name:
//!
//! | gRPC | Connect | HTTP |
//! |---|---|---|
//! | 16 | `unauthenticated` | 401 |
//! | 14 | `unavailable` | 503 |
//! | 3 | `invalid_argument` | 400 |
//! | 8 | `resource_exhausted` | 429 |
//! | 7 | `permission_denied` | 403 |
//! | 13 | `internal` | 500 |
//! | 12 | `unimplemented` | 501 |
//!
//! Whatever else gets the HTTP answer. **A proxy that checks requests has to ask by GET**, as nginx and
//! Traefik do: it copies the headers, and would take the 200 of gRPC, or of a stream, for a pass. One
//! that copies the method, too, such as Envoy's `ext_authz`, must not send the `content-type`.

use bytes::Bytes;
use http::Response;
use http::request::Parts;

mod any;
mod cause;
mod connect;
mod details;
mod grpc;
mod header;
mod openapi;
mod per_kind;
mod preset;
mod protobuf;
mod protocol;
mod responder;

pub(crate) use self::any::Responder;
use self::cause::add_cause;
pub use self::grpc::GrpcStatus;
pub(crate) use self::header::{ACTION, NO_STORE};
pub use self::openapi::openapi_components;
pub(crate) use self::preset::WAFER_MAGIC;
pub use self::preset::{ParsePresetError, Preset};
use self::protocol::Protocol;
pub(crate) use self::protocol::is_rpc_stream;
pub use self::responder::ResponseForRejection;
use crate::rejection::Rejection;

impl Rejection {
    /// The refusal in the form that a request asks for by its head: gRPC, Connect, and otherwise
    /// [`Preset::Json`]. For handlers in frameworks that this crate does not know.
    ///
    /// ```
    /// use http::{Request, StatusCode};
    /// use tower_wx_session::{Rejection, RejectionKind};
    ///
    /// let (head, _body) = Request::get("/me").body(()).unwrap().into_parts();
    /// let response = Rejection::from(RejectionKind::SessionExpired).to_response(&head);
    /// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    /// assert_eq!(response.headers()["x-wx-action"], "login");
    /// ```
    #[must_use]
    pub fn to_response(&self, head: &Parts) -> Response<Bytes> {
        refuse(&Responder::Preset(Preset::Json), head, self.clone())
    }
}

/// The answer where nothing is known of the request.
#[cfg(any(feature = "axum", feature = "crypto"))]
pub(crate) fn refuse_without_head(rejection: Rejection) -> Response<Bytes> {
    let mut response = Preset::Json.response(&rejection);
    add_cause(&mut response, rejection);
    response
}

/// Refuses a request with this head, in the protocol that it speaks.
#[inline]
pub(crate) fn refuse(responder: &Responder, head: &Parts, rejection: Rejection) -> Response<Bytes> {
    let mut response = match Protocol::of(head) {
        Protocol::Http => return responder.refuse(head, rejection),
        Protocol::Grpc(content_type) => grpc::response(content_type.clone(), &rejection),
        Protocol::ConnectUnary => connect::unary(&rejection),
        Protocol::ConnectStream(content_type) => connect::stream(content_type.clone(), &rejection),
    };
    add_cause(&mut response, rejection);
    response
}
