//! What gets through, and how handlers see it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{any, get, post};
use bytes::Bytes;
use http::{HeaderMap, Method, Version};
use http_body::Frame;
use tokio::sync::Semaphore;
use tower_wx_session::{Identity, Session, SessionLayer, TokenSource};

use super::refusals::Form::Json;
use super::refusals::{FORMS, VERSIONS, expected, layer};
use crate::support::Op;
use crate::support::case::Headers;
use crate::support::golden::{LAYER, golden};
use crate::support::http::{Answer, Server, client};
use crate::support::world::{World, within_ten_seconds};

async fn live_token(world: &World) -> String {
    let issued = world.sessions.issue(Identity::new("wxa", "alice")).await;
    issued.unwrap().token().expose().to_owned()
}

#[tokio::test]
async fn a_live_session_passes_by_either_header_and_any_case_of_bearer() {
    let world = World::new().await;
    let token = live_token(&world).await;
    let app = world.start().await;
    let cases: Vec<Headers> = vec![
        vec![("authorization", format!("Bearer {token}"))],
        vec![("authorization", format!("bearer {token}"))],
        vec![("authorization", format!("BEARER   {token} "))],
        vec![("x-wx-skey", token.clone())],
        vec![
            ("x-wx-skey", token.clone()),
            ("authorization", format!("bEaReR {token}")),
        ],
        vec![
            ("authorization", "Basic YTpi".to_owned()),
            ("authorization", format!("Bearer {token}")),
        ],
        vec![
            ("x-wx-skey", String::new()),
            ("authorization", format!("Bearer {token}")),
        ],
    ];
    for headers in cases {
        for client in VERSIONS.map(client) {
            let request = client.get(app.server.url("/me"));
            let request = headers.iter().fold(request, |request, (name, value)| {
                request.header(*name, value)
            });
            let plain = [("content-type", "text/plain; charset=utf-8")];
            let alice = Answer::new(200, &plain, "alice");
            assert_eq!(Answer::to(request).await, alice, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn by_default_only_bearer_counts() {
    let world = World::new().await;
    let token = live_token(&world).await;
    let layer = SessionLayer::new(world.sessions.clone());
    let app = world.start_with(layer, world.login()).await;
    let request = app.client.get(app.server.url("/me"));
    let answer = Answer::to(request.header("x-wx-skey", &token)).await;
    assert_eq!(answer, expected(golden(LAYER, "missing"), Json));
    assert_eq!(app.me(&token).await.body, "alice");
}

#[tokio::test]
async fn optional_lets_only_a_missing_token_through() {
    let world = World::new().await;
    let token = live_token(&world).await;
    let cold = world.another_node();
    let layer = SessionLayer::new(cold).optional();
    let app = world.start_with(layer, world.login()).await;
    let get = || app.client.get(app.server.url("/me"));

    assert_eq!(Answer::to(get()).await.body, "nobody");
    let malformed = expected(golden(LAYER, "malformed"), Json);
    assert_eq!(app.me("rubbish").await, malformed);
    let two = get().bearer_auth("a").header("authorization", "Bearer b");
    let several = expected(golden(LAYER, "several"), Json);
    assert_eq!(Answer::to(two).await, several);

    world.outage.of_all();
    let unavailable = expected(golden(LAYER, "store down"), Json);
    assert_eq!(app.me(&token).await, unavailable);
    assert_eq!(Answer::to(get()).await.body, "nobody");
    world.outage.is_over();
    assert_eq!(app.me(&token).await.body, "alice");
    assert_eq!(world.handler_calls(), 3);
}

/// Handlers that take a session in either way, behind whatever layer.
fn extractors() -> Router {
    let must = async |session: Session| session.openid().to_owned();
    let may = async |session: Option<Session>| match session {
        Some(session) => session.openid().to_owned(),
        None => "nobody".to_owned(),
    };
    Router::new()
        .route("/must", get(must))
        .route("/may", get(may))
}

#[tokio::test]
async fn extractors_behind_every_kind_of_layer() {
    let world = World::new().await;
    let token = live_token(&world).await;
    let client = client(Version::HTTP_11);
    for form in FORMS {
        let required = layer(&world.sessions, form);
        let optional = required.clone().optional();
        let unchecked = required
            .clone()
            .with_unchecked(|method, uri| method == Method::GET && uri.path().starts_with("/m"));
        let missing = expected(golden(LAYER, "missing"), form);
        let malformed = expected(golden(LAYER, "malformed"), form);
        let plain = [("content-type", "text/plain; charset=utf-8")];
        let text = |body: &str| Answer::new(200, &plain, body);
        let (alice, nobody) = (text("alice"), text("nobody"));
        let rows = [
            (
                "required",
                required,
                "/must",
                [&missing, &malformed, &alice],
            ),
            (
                "optional",
                optional.clone(),
                "/must",
                [&missing, &malformed, &alice],
            ),
            ("optional", optional, "/may", [&nobody, &malformed, &alice]),
            ("unchecked", unchecked.clone(), "/must", [&missing; 3]),
            ("unchecked", unchecked, "/may", [&nobody; 3]),
        ];
        for (name, layer, path, answers) in rows {
            let server = Server::start(extractors().layer(layer)).await;
            let tokens = [None, Some("rubbish"), Some(&*token)];
            for (token, answer) in tokens.into_iter().zip(answers) {
                let mut request = client.get(server.url(path));
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let context = format!("{name} {path} {form:?}");
                assert_eq!(Answer::to(request).await, *answer, "{context}");
            }
        }
    }
}

#[tokio::test]
async fn extractors_without_a_layer_name_the_mistake() {
    let server = Server::start(extractors()).await;
    for path in ["/must", "/may"] {
        let answer = Answer::to(client(Version::HTTP_11).get(server.url(path))).await;
        assert_eq!(answer.status, 500);
        assert!(answer.body.contains("`SessionLayer`"), "{answer:?}");
        assert_eq!(answer.header("x-rejection"), None);
    }
}

#[tokio::test]
async fn what_is_unchecked_passes_whatever_it_carries() {
    let world = World::new().await;
    let cold = SessionLayer::new(world.another_node());
    let layer = cold.with_unchecked(|method, uri| method == Method::GET && uri.path() == "/me");
    let app = world.start_with(layer, world.login()).await;
    world.outage.of_all();
    let loads = world.store.calls(Op::Load);
    assert_eq!(app.me("rubbish").await.body, "nobody");
    assert_eq!(world.store.calls(Op::Load), loads);

    let post = app.client.post(app.server.url("/me"));
    let missing = expected(golden(LAYER, "missing"), Json);
    assert_eq!(Answer::to(post).await, missing);
}

/// A handler that tells the URI and the headers that it was given.
async fn tell(request: Request) -> String {
    let hidden = |name| {
        let values = request.headers().get_all(name).iter();
        let values: Vec<_> = values.map(|value| value.is_sensitive()).collect();
        format!("{values:?}")
    };
    let openid = request.extensions().get::<Session>().map(Session::openid);
    let (uri, openid) = (request.uri(), openid.unwrap_or("nobody"));
    let (bearer, skey, other) = (
        hidden("authorization"),
        hidden("x-wx-skey"),
        hidden("x-other"),
    );
    format!("{openid} {uri} {bearer} {skey} {other}")
}

#[tokio::test]
async fn the_query_is_a_source_for_get_only_and_loses_the_token() {
    let world = World::new().await;
    let token = live_token(&world).await;
    let sources = [TokenSource::bearer(), TokenSource::query("sid")];
    let layer = SessionLayer::new(world.sessions.clone()).with_sources(sources);
    let app = Router::new().route("/tell", any(tell)).layer(layer);
    let server = Server::start(app).await;
    let client = client(Version::HTTP_11);

    for (before, after) in [
        ("sid=TOKEN", "/tell"),
        ("a=1&sid=TOKEN&b=%20%26&c", "/tell?a=1&b=%20%26&c"),
        ("sid=TOKEN&a=1&a=1&sid=TOKEN&=", "/tell?a=1&a=1&="),
        ("sid=&sid=TOKEN&Sid=x&sidx=y", "/tell?Sid=x&sidx=y"),
    ] {
        let url = server.url(&format!("/tell?{}", before.replace("TOKEN", &token)));
        let answer = Answer::to(client.get(&url)).await;
        assert_eq!(answer.body, format!("alice {after} [] [] []"));
        let missing = expected(golden(LAYER, "missing"), Json);
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = Answer::to(client.request(method, &url)).await;
            assert_eq!(answer, missing, "{before}");
        }
    }
    let url = server.url(&format!("/tell?sid={token}"));
    let several = client.get(&url).bearer_auth("other");
    let refusal = expected(golden(LAYER, "several"), Json);
    assert_eq!(Answer::to(several).await, refusal);
    let same = client.get(&url).bearer_auth(&token);
    assert_eq!(Answer::to(same).await.body, "alice /tell [true] [] []");
}

#[tokio::test]
async fn token_headers_are_sensitive_when_the_handler_sees_them() {
    let world = World::new().await;
    let token = live_token(&world).await;
    // Once for the path with a question to the store, once for the one without.
    let cold = layer(&world.another_node(), Json);
    let server = Server::start(Router::new().route("/tell", any(tell)).layer(cold)).await;
    for _ in 0..2 {
        let request = client(Version::HTTP_11).post(server.url("/tell"));
        let request = request
            .bearer_auth(&token)
            .header("x-wx-skey", &token)
            .header("x-wx-skey", &token)
            .header("x-other", &token);
        let answer = Answer::to(request).await;
        assert_eq!(answer.body, "alice /tell [true] [true, true] [false]");
    }
}

#[tokio::test]
async fn nothing_in_the_query_means_an_unchanged_uri() {
    let world = World::new().await;
    let sources = [TokenSource::query("sid")];
    let layer = SessionLayer::new(world.sessions.clone()).with_sources(sources);
    let app = Router::new()
        .route("/tell", any(tell))
        .layer(layer.optional());
    let server = Server::start(app).await;
    for uri in ["/tell", "/tell?", "/tell?a=1&b=2", "/tell?sidd=1"] {
        let answer = Answer::to(client(Version::HTTP_11).get(server.url(uri))).await;
        assert_eq!(answer.body, format!("nobody {uri} [] [] []"));
    }
}

#[tokio::test]
async fn bodies_and_answers_pass_unchanged() {
    let world = World::new().await;
    let token = live_token(&world).await;
    let echo = async |headers: HeaderMap, body: Bytes| {
        let kind = headers["x-kind"].clone();
        (http::StatusCode::IM_A_TEAPOT, [("x-kind", kind)], body)
    };
    let app = Router::new()
        .route("/echo", post(echo))
        .layer(world.layer());
    let server = Server::start(app).await;
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|i| (i * 7 % 256) as u8).collect();
    for client in VERSIONS.map(client) {
        let request = client.post(server.url("/echo")).bearer_auth(&token);
        let request = request.header("x-kind", "k").body(bytes.clone());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 418);
        assert_eq!(response.headers()["x-kind"], "k");
        assert_eq!(response.headers().get("cache-control"), None);
        assert!(response.bytes().await.unwrap() == bytes);
    }
}

/// A body that gives one chunk for each permit, three in all.
struct Slowly {
    permits: Arc<Semaphore>,
    left: u8,
}

impl http_body::Body for Slowly {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let Ok(permit) = self.permits.try_acquire() else {
            let waker = cx.waker().clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                waker.wake();
            });
            return Poll::Pending;
        };
        permit.forget();
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"chunk ")))))
    }
}

#[tokio::test]
async fn a_streaming_answer_is_not_held_back() {
    let world = World::new().await;
    let token = live_token(&world).await;
    let permits = Arc::new(Semaphore::new(0));
    let handed = Arc::clone(&permits);
    let stream = move || {
        let permits = Arc::clone(&handed);
        async move { Body::new(Slowly { permits, left: 3 }) }
    };
    let app = Router::new()
        .route("/stream", get(stream))
        .layer(world.layer());
    let server = Server::start(app).await;
    for client in VERSIONS.map(client) {
        let request = client.get(server.url("/stream")).bearer_auth(&token);
        let mut response = request.send().await.unwrap();
        assert_eq!(response.headers().get("content-length"), None);
        for _ in 0..3 {
            permits.add_permits(1);
            let chunk = within_ten_seconds(response.chunk()).await.unwrap();
            assert_eq!(chunk.unwrap(), "chunk ");
        }
        // HTTP/2 ends with an empty frame.
        let rest = within_ten_seconds(response.chunk()).await.unwrap();
        assert_eq!(rest.unwrap_or_default(), "");
    }
}
