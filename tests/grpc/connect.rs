//! What clients of Connect's own protocol see of the layer, byte for byte.

use bytes::Bytes;
use http::request::{Builder, Parts};
use http::{Method, Request};
use tower_wx_session::RejectionKind;

use crate::forms::{FORMS, VERSIONS, layers, refused_login, world_with};
use crate::support::connect_golden::{Golden, LAYER, LOGIN, golden};
use crate::support::golden as http_golden;
use crate::support::grpc_golden;
use crate::support::http::{Answer, Server, client};

type Headers = &'static [(&'static str, &'static str)];

/// A way to call a method, by what it has in its head.
#[derive(Debug)]
struct Call(Method, &'static str, Headers);

const UNARY: [Call; 4] = [
    Call(
        Method::POST,
        "/me",
        &[
            ("connect-protocol-version", "1"),
            ("content-type", "application/proto"),
        ],
    ),
    Call(
        Method::POST,
        "/me",
        &[
            ("connect-protocol-version", "1"),
            ("content-type", "application/json"),
        ],
    ),
    Call(
        Method::GET,
        "/me?connect=v1&encoding=proto&base64=1&message=",
        &[],
    ),
    // The form of a stream, at HTTP 200, is for a POST.
    Call(
        Method::GET,
        "/me?encoding=json&message=%7B%7D&connect=v1",
        &[("content-type", "application/connect+json")],
    ),
];

const STREAMS: [Call; 3] = [
    Call(
        Method::POST,
        "/me",
        &[
            ("connect-protocol-version", "1"),
            ("content-type", "application/connect+proto"),
        ],
    ),
    Call(
        Method::POST,
        "/me",
        &[("content-type", "application/connect+json")],
    ),
    Call(
        Method::POST,
        "/me",
        &[("content-type", "Application/Connect+JSON; charset=utf-8")],
    ),
];

/// What is no call of Connect's. A proxy's check is a GET with the headers of what it checks.
const NO_CALLS: [Call; 6] = [
    Call(Method::GET, "/me", &[("connect-protocol-version", "1")]),
    Call(
        Method::GET,
        "/me",
        &[("content-type", "application/connect+proto")],
    ),
    Call(Method::GET, "/me?reconnect=v1", &[]),
    Call(
        Method::PUT,
        "/me?connect=v1",
        &[
            ("connect-protocol-version", "1"),
            ("content-type", "application/connect+proto"),
        ],
    ),
    Call(Method::POST, "/me?connect=v1", &[]),
    Call(
        Method::POST,
        "/me",
        &[("content-type", "application/connect")],
    ),
];

impl Call {
    fn to(&self, server: &Server, client: &reqwest::Client) -> reqwest::RequestBuilder {
        let Self(method, path, headers) = self;
        let request = client.request(method.clone(), server.url(path));
        headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        })
    }

    fn head(&self) -> Parts {
        let Self(method, path, headers) = self;
        let request = Request::builder().method(method).uri(*path);
        let add = |request: Builder, (name, value): &(&str, &str)| request.header(*name, *value);
        let request = headers.iter().fold(request, add);
        request.body(()).unwrap().into_parts().0
    }

    fn content_type(&self) -> &'static str {
        let mut headers = self.2.iter();
        headers.find(|(name, _)| *name == "content-type").unwrap().1
    }
}

/// The answer to a unary call: that of the preset `json`, but for the status and the body.
fn unary(row: &Golden, http: &http_golden::Golden) -> Answer {
    let rejection = rejection(http);
    let mut headers = vec![
        ("x-rejection", &*rejection),
        ("x-wx-action", http.action()),
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
    ];
    let challenge = http.challenge;
    headers.extend(challenge.map(|challenge| ("www-authenticate", challenge)));
    headers.extend(http.retry_after.map(|seconds| ("retry-after", seconds)));
    Answer::new(row.status, &headers, row.error)
}

/// The answer to a stream, without what goes before the message in its envelope.
fn end_of_stream(row: &Golden, http: &http_golden::Golden, call: &Call) -> Answer {
    let rejection = rejection(http);
    let headers = [
        ("x-rejection", &*rejection),
        ("x-wx-action", http.action()),
        ("content-type", call.content_type()),
        ("cache-control", "no-store"),
    ];
    Answer::new(200, &headers, format!(r#"{{"error":{}}}"#, row.error))
}

/// What the server tells of the response's extensions.
fn rejection(http: &http_golden::Golden) -> String {
    match http.retry_after {
        Some(seconds) => format!("{} Some({seconds})", http.kind),
        None => format!("{} None", http.kind),
    }
}

/// Takes the message out of the only envelope: one that ends the stream.
#[track_caller]
fn message_in(body: &Bytes) -> Bytes {
    let length = u32::try_from(body.len() - 5).unwrap().to_be_bytes();
    assert_eq!(body[..5], [&[2], &length[..]].concat(), "{body:?}");
    body.slice(5..)
}

/// The answer with its message for a body.
async fn read_stream(request: reqwest::RequestBuilder) -> Answer {
    let response = http::Response::<reqwest::Body>::from(request.send().await.unwrap());
    let (mut head, body) = response.into_parts();
    let body = reqwest::Response::from(http::Response::new(body));
    let body = body.bytes().await.unwrap();
    head.headers.remove("content-length");
    let response = http::Response::from_parts(head, message_in(&body));
    Answer::read(response.into()).await
}

#[tokio::test]
async fn every_refusal_of_a_unary_call_has_the_status_of_its_code_whatever_the_preset() {
    let clients = VERSIONS.map(client);
    for row in LAYER {
        let (world, headers) = world_with(row.case).await;
        let expected = unary(row, http_golden::golden(http_golden::LAYER, row.case));
        for (form, layer) in FORMS.iter().zip(layers(&world.sessions)) {
            let server = Server::start(world.behind(layer)).await;
            for client in &clients {
                for call in &UNARY {
                    let request = call.to(&server, client);
                    let request = headers.iter().fold(request, |request, (name, value)| {
                        request.header(*name, value)
                    });
                    let answer = Answer::to(request).await;
                    assert_eq!(answer, expected, "{}, {form}, {call:?}", row.case);
                }
            }
        }
        assert_eq!(world.handler_calls(), 0, "{}", row.case);
    }
}

#[tokio::test]
async fn every_refusal_of_a_stream_is_its_only_envelope_whatever_the_preset() {
    let clients = VERSIONS.map(client);
    for row in LAYER {
        let (world, headers) = world_with(row.case).await;
        let http = http_golden::golden(http_golden::LAYER, row.case);
        for (form, layer) in FORMS.iter().zip(layers(&world.sessions)) {
            let server = Server::start(world.behind(layer)).await;
            for client in &clients {
                for call in &STREAMS {
                    let request = call.to(&server, client);
                    let request = headers.iter().fold(request, |request, (name, value)| {
                        request.header(*name, value)
                    });
                    let answer = read_stream(request).await;
                    let expected = end_of_stream(row, http, call);
                    assert_eq!(answer, expected, "{}, {form}, {call:?}", row.case);
                }
            }
        }
        assert_eq!(world.handler_calls(), 0, "{}", row.case);
    }
}

#[tokio::test]
async fn what_is_no_call_of_connect_is_answered_in_http() {
    let (world, _) = world_with("missing").await;
    let server = Server::start(world.behind(world.layer())).await;
    for client in VERSIONS.map(client) {
        for call in &NO_CALLS {
            let answer = Answer::to(call.to(&server, &client)).await;
            let json = http_golden::golden(http_golden::LAYER, "missing").json;
            assert_eq!((answer.status, &*answer.body), (401, json), "{call:?}");
        }
    }
}

#[tokio::test]
async fn whoever_names_grpc_and_connect_is_answered_in_grpc() {
    let (world, _) = world_with("missing").await;
    let server = Server::start(world.behind(world.layer())).await;
    for client in VERSIONS.map(client) {
        let request = client.post(server.url("/me?connect=v1"));
        let request = request.header("connect-protocol-version", "1");
        let request = request.header("content-type", "application/grpc-web+proto");
        let answer = Answer::to(request).await;
        let row = grpc_golden::golden(grpc_golden::LAYER, "missing");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("grpc-message"), Some(row.message));
    }
}

#[tokio::test]
async fn a_login_refused_in_a_handler_has_the_code_of_its_cause() {
    for row in LOGIN {
        let rejection = refused_login(row.case).await;
        assert_eq!(rejection.connect_error(), row.error, "{}", row.case);
        for call in &UNARY {
            let response = rejection.to_response(&call.head());
            assert_eq!(response.status(), row.status, "{}", row.case);
            assert_eq!(*response.body(), row.error, "{}", row.case);
        }
        for call in &STREAMS {
            let response = rejection.to_response(&call.head());
            assert_eq!(response.status(), 200, "{}", row.case);
            let message = message_in(response.body());
            let expected = format!(r#"{{"error":{}}}"#, row.error);
            assert_eq!(message, expected, "{}", row.case);
        }
    }
}

#[test]
fn every_kind_has_a_row() {
    let kinds = RejectionKind::ALL.iter().map(|kind| kind.reason());
    for reason in kinds {
        let mut rows = LAYER.iter().chain(LOGIN);
        let named = |row: &Golden| row.error.contains(&format!(r#""message":"{reason}: "#));
        assert!(rows.any(named), "{reason}");
    }
    assert_eq!(golden(LOGIN, "method").status, 501);
}
