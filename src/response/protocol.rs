use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Version};

use super::{connect, grpc};

/// In what protocol a request is answered; with the content type where that is echoed.
pub(super) enum Protocol<'h> {
    Http,
    /// gRPC, grpc-web or grpc-web-text.
    Grpc(&'h HeaderValue),
    ConnectUnary,
    ConnectStream(&'h HeaderValue),
}

impl<'h> Protocol<'h> {
    /// gRPC, and a stream of Connect's, is always a POST. nginx and Traefik ask whether a request may
    /// pass by a GET with its headers, and would take the 200 of such a refusal for a yes.
    pub(super) fn of(head: &'h Parts) -> Self {
        match head.method {
            Method::POST => Self::of_post(&head.headers),
            Method::GET if connect::is_get(&head.uri) => Self::ConnectUnary,
            _ => Self::Http,
        }
    }

    fn of_post(headers: &'h HeaderMap) -> Self {
        match headers.get(CONTENT_TYPE) {
            Some(value) if grpc::is_grpc(value.as_bytes()) => Self::Grpc(value),
            Some(value) if connect::is_stream(value.as_bytes()) => Self::ConnectStream(value),
            _ if connect::has_version(headers) => Self::ConnectUnary,
            _ => Self::Http,
        }
    }
}

/// Whether the request's body may go on as long as the answer does. That of grpc-web is one message,
/// and over HTTP/1 clients of Connect send all before they look at the answer.
pub(crate) fn is_rpc_stream(head: &Parts) -> bool {
    match Protocol::of(head) {
        Protocol::Grpc(content_type) => !grpc::is_web(content_type.as_bytes()),
        Protocol::ConnectStream(_) => head.version >= Version::HTTP_2,
        Protocol::Http | Protocol::ConnectUnary => false,
    }
}
