//! Requests as mini programs send them.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, USER_AGENT};
use http::{HeaderValue, Request};

pub const SKEY: HeaderName = HeaderName::from_static("x-wx-skey");

/// What every request carries besides a token.
const HEADERS: [(HeaderName, &str); 5] = [
    (HOST, "api.example.com"),
    (
        USER_AGENT,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
         (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.60 NetType/WIFI Language/zh_CN",
    ),
    (ACCEPT, "*/*"),
    (CONTENT_TYPE, "application/json"),
    (
        HeaderName::from_static("x-request-id"),
        "0197a1c4-6f0e-7c3a-9d52-8f1b2e4c7a90",
    ),
];

/// A request without a token.
pub fn without_token() -> Request<()> {
    let mut request = Request::new(());
    let headers = request.headers_mut();
    headers.reserve(HEADERS.len() + 2);
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    request
}

/// Adds a token to a request. Its bytes are the request's own, as if they had just arrived.
pub fn present(request: &mut Request<()>, header: &HeaderName, token: &str) {
    let value = match *header {
        AUTHORIZATION => HeaderValue::try_from(format!("Bearer {token}")),
        _ => HeaderValue::from_str(token),
    };
    let value = value.expect("a token is a header value");
    request.headers_mut().insert(header, value);
}

/// Requests with these tokens in turn, in an order that no cache line foresees.
pub fn presenting(header: HeaderName, tokens: &[String]) -> impl FnMut() -> Request<()> + '_ {
    let mut next = 0_usize;
    move || {
        next = (next + 7919) % tokens.len();
        let mut request = without_token();
        present(&mut request, &header, &tokens[next]);
        request
    }
}
