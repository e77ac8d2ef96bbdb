use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Response};

use crate::rejection::{Rejection, RejectionKind};
use crate::response::{NO_STORE, Responder, WAFER_MAGIC};
use crate::sessions::Issued;

/// Answers a login, for clients of this preset.
pub(super) fn answer(
    responder: &Responder,
    head: &Parts,
    result: Result<Issued, Rejection>,
) -> Response<Bytes> {
    let mut response = match result {
        Ok(issued) => success(&issued, responder.serves_wafer()),
        Err(rejection) => refusal(responder, head, rejection),
    };
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

fn refusal(responder: &Responder, head: &Parts, rejection: Rejection) -> Response<Bytes> {
    let kind = rejection.kind();
    let mut response = responder.refuse(head, rejection);
    if kind == RejectionKind::MethodNotAllowed {
        let allowed = if responder.serves_wafer() {
            "GET, POST"
        } else {
            "POST"
        };
        let allowed = HeaderValue::from_static(allowed);
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

fn success(issued: &Issued, serves_wafer: bool) -> Response<Bytes> {
    let token = issued.token().expose();
    let expires_in = issued.expires_in().as_secs();
    let mut body = format!(r#"{{"token":"{token}","expires_in":{expires_in}"#);
    if serves_wafer {
        body.push_str(&for_wafer(issued));
    }
    body.push('}');
    let mut response = Response::new(Bytes::from(body));
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What clients of both Wafer SDKs look for: `session` the first, `code` and `data` the second.
fn for_wafer(issued: &Issued) -> String {
    let (id, token) = (issued.token().id(), issued.token().expose());
    let session = format!(r#""session":{{"id":"{id}","skey":"{token}"}}"#);
    let data = format!(r#""data":{{"skey":"{token}","userinfo":{{}}}}"#);
    format!(r#","{WAFER_MAGIC}":1,"code":0,{session},{data}"#)
}
