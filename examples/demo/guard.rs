//! Who may see the demo and act on it: this machine's programs, and the demo's own page.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Any web page can have a browser send a request here, and one that has its own name point to this
/// machine can read the answer. The first comes with its `Origin`, the second with its name.
pub async fn from_here(request: Request, next: Next) -> Response {
    if is_from_here(request.headers()) {
        return next.run(request).await;
    }
    StatusCode::FORBIDDEN.into_response()
}

fn is_from_here(headers: &HeaderMap) -> bool {
    let Some(host) = text(headers, HOST) else {
        return false;
    };
    let is_own = text(headers, ORIGIN).is_none_or(|origin| origin == format!("http://{host}"));
    is_own && is_no_name(host)
}

/// Whether it is an address or `localhost`, which nobody else can have point here.
fn is_no_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let host = authority.host().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
