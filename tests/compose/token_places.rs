//! Behind the layer no token is left in a place where it would be logged.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::trace::{DefaultMakeSpan, TraceLayer};
use tower_wx_session::{Rejection, Session, SessionLayer, Sessions, TokenSource};
use tracing::Level;

use crate::support::HookedStore;
use crate::support::log::Log;
use crate::support::nodes::{log_in, node, store_on_a_clock};

const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::CONNECT,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::OPTIONS,
];

/// Takes the token from anywhere.
fn layer(sessions: &Sessions<HookedStore>) -> SessionLayer<HookedStore> {
    SessionLayer::new(sessions.clone()).with_sources([
        TokenSource::bearer(),
        TokenSource::skey(),
        TokenSource::websocket_protocol(),
        TokenSource::query("token"),
    ])
}

/// A request with a token in every place, those included in which it does not count.
fn request(method: &Method, token: &str) -> Request<String> {
    let encoded = token.replace('_', "%5F");
    Request::builder()
        .method(method)
        .uri(format!(
            "http://host/p?a=1&token={token}&%74oken={encoded}&b=2"
        ))
        .header("authorization", format!("Bearer {token}"))
        .header("x-wx-skey", token)
        .header("sec-websocket-protocol", format!("chat, bearer, {token}"))
        .body(String::new())
        .unwrap()
}

#[tokio::test]
async fn no_log_behind_the_layer_has_the_token_whatever_the_mode_and_the_method() {
    let (log, _guard) = Log::from(Level::TRACE);
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let modes = [
        ("required", layer(&sessions)),
        ("optional", layer(&sessions).optional()),
        ("unchecked", layer(&sessions).with_unchecked(|_, _| true)),
    ];
    for (mode, layer) in modes {
        let make_span = DefaultMakeSpan::new()
            .level(Level::TRACE)
            .include_headers(true);
        let inner = TraceLayer::new_for_http()
            .make_span_with(make_span)
            .layer(service_fn(async |request: Request<String>| {
                let session = request.extensions().get::<Session>();
                let offered = &request.headers()["sec-websocket-protocol"];
                assert_eq!(offered, "chat, bearer");
                let has_session = session.is_some().to_string();
                Ok::<_, Infallible>(Response::new(has_session))
            }));
        for method in METHODS {
            let answer = layer
                .layer(inner.clone())
                .oneshot(request(&method, &token))
                .await;
            let body = http_body_util::BodyExt::collect(answer.unwrap().into_body()).await;
            let body = body.unwrap().to_bytes();
            assert_eq!(body, (mode != "unchecked").to_string(), "{mode} {method}");
            let logged = log.text();
            assert!(
                logged.contains("uri=http://host/p?a=1&b=2"),
                "{mode} {method}: {logged}"
            );
            assert!(!logged.contains(&token[4..]), "{mode} {method}: {logged}");
            log.take("");
        }
    }
}

#[tokio::test]
async fn whoever_makes_the_refusal_sees_no_token() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = crate::support::switchable(store);
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let seen = Arc::new(Mutex::new(String::new()));
    let see = Arc::clone(&seen);
    let responder = move |_: &Rejection, head: &Parts| {
        *see.lock().unwrap() = format!("{head:?}");
        Response::new(Bytes::new())
    };
    // Another node: it knows nothing of the session, and its store is down.
    is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    let layer = layer(&node(&store, &clock)).with_rejection_response(responder);
    let inner =
        service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    let refused = layer
        .layer(inner)
        .oneshot(request(&Method::GET, &token))
        .await
        .unwrap();
    assert_eq!(refused.headers()["x-wx-action"], "retry");
    let (mut head, _) = request(&Method::GET, &token).into_parts();
    layer.admit(&mut head).await.unwrap_err();
    for seen in [&*seen.lock().unwrap(), &format!("{head:?}")] {
        assert!(seen.contains("http://host/p?a=1&b=2"), "{seen}");
        assert!(!seen.contains(&token[4..]), "{seen}");
    }
}

#[tokio::test]
async fn a_token_in_the_query_counts_for_head_and_does_not_for_post() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let layer = layer(&sessions);
    for (method, status) in [
        (Method::GET, 200),
        (Method::HEAD, 200),
        (Method::CONNECT, 200),
        (Method::POST, 401),
        (Method::DELETE, 401),
    ] {
        let (mut head, _) = Request::builder()
            .method(&method)
            .uri(format!("http://host/p?token={token}"))
            .body(())
            .unwrap()
            .into_parts();
        let admitted = layer.admit(&mut head).await;
        let answered = admitted.map_or_else(|refusal| refusal.status().as_u16(), |()| 200);
        assert_eq!(answered, status, "{method}");
        assert_eq!(head.uri, "http://host/p", "{method}");
    }
}
