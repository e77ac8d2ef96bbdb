use http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use http::{Method, Response, StatusCode};

use crate::head::Head;
use crate::token;

/// The opening handshake of a WebSocket with a token among the subprotocols that it offers.
///
/// A browser fails the connection unless the answer names one of those.
#[derive(Clone, Copy)]
pub(super) struct Handshake {
    /// Over HTTP/2 and later the handshake is a CONNECT (RFC 8441).
    is_connect: bool,
}

impl Handshake {
    #[cold]
    pub(super) fn of(request: &impl Head) -> Option<Self> {
        let is_connect = request.method() == Method::CONNECT;
        token::has_token(request.headers()).then_some(Self { is_connect })
    }

    /// Names the protocol that stood before the token, if the answer opens the WebSocket and names
    /// no other.
    #[cold]
    pub(super) fn complete<B>(self, answer: &mut Response<B>) {
        if self.is_opened_by(answer.status()) {
            let named = answer.headers_mut().entry(SEC_WEBSOCKET_PROTOCOL);
            named.or_insert(HeaderValue::from_static(token::BEARER));
        }
    }

    fn is_opened_by(self, status: StatusCode) -> bool {
        let opens_connect = self.is_connect && status.is_success();
        opens_connect || status == StatusCode::SWITCHING_PROTOCOLS
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn named(method: Method, status: u16, by_the_service: Option<&str>) -> Option<String> {
        let request = Request::builder()
            .method(method)
            .header(SEC_WEBSOCKET_PROTOCOL, "bearer, t")
            .body(())
            .unwrap();
        let mut answer = Response::builder().status(status);
        if let Some(name) = by_the_service {
            answer = answer.header(SEC_WEBSOCKET_PROTOCOL, name);
        }
        let mut answer = answer.body(()).unwrap();
        Handshake::of(&request).unwrap().complete(&mut answer);
        let named = answer.headers().get(SEC_WEBSOCKET_PROTOCOL);
        named.map(|name| name.to_str().unwrap().to_owned())
    }

    #[test]
    fn an_answer_that_opens_the_socket_names_bearer_if_no_other() {
        let rows = [
            (Method::GET, 101, None, Some("bearer")),
            (Method::GET, 101, Some("chat"), Some("chat")),
            (Method::CONNECT, 200, None, Some("bearer")),
            (Method::CONNECT, 200, Some("chat"), Some("chat")),
            (Method::GET, 200, None, None),
            (Method::GET, 400, None, None),
            (Method::CONNECT, 401, None, None),
        ];
        for (method, status, by_the_service, expected) in rows {
            let row = format!("{method} {status} {by_the_service:?}");
            assert_eq!(
                named(method, status, by_the_service).as_deref(),
                expected,
                "{row}"
            );
        }
    }
}
