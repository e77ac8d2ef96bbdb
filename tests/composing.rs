//! Layer order over a real axum server: what the page `guide::composing` says.
#![cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, options};
use axum::{BoxError, Router};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode, Version};
use support::http::{Answer, Server, client};
use support::nodes::{log_in, node, node_with, store_on_a_clock};
use support::world::{HOUR, SECOND, until, within_ten_seconds};
use support::{HookedStore, Op, switchable};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower::buffer::BufferLayer;
use tower::limit::{GlobalConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::timeout::{TimeoutLayer, error::Elapsed};
use tower_http::classify::{GrpcCode, GrpcErrorsAsFailures, SharedClassifier};
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::{DefaultMakeSpan, TraceLayer};
use tower_wx_session::response::Preset;
use tower_wx_session::{Identity, Rejection, Session, SessionLayer, Sessions, TokenSource};
use tracing::Level;
use tracing_subscriber::util::SubscriberInitExt;

type Sessioned = SessionLayer<HookedStore>;

/// A server, a client with a live session, and the switch that takes the store down.
struct Site {
    server: Server,
    client: reqwest::Client,
    sessions: Sessions<HookedStore>,
    token: String,
    is_down: Arc<AtomicBool>,
}

impl Site {
    async fn new(app: impl FnOnce(Sessioned) -> Router) -> Self {
        let (clock, store) = store_on_a_clock();
        let (store, is_down) = switchable(store);
        let sessions = node(&store, &clock);
        Self {
            // From another node: this one has to ask the store about it.
            token: log_in(&node(&store, &clock)).await,
            server: Server::start(app(SessionLayer::new(sessions.clone()))).await,
            client: client(Version::HTTP_11),
            sessions,
            is_down,
        }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        self.client.request(method, self.server.url(path))
    }

    /// The answer to nobody.
    async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request("GET", path)).await
    }

    async fn get_as_alice(&self, path: &str) -> Answer {
        Answer::to(self.request("GET", path).bearer_auth(&self.token)).await
    }

    /// The statuses of some paths, for nobody and for a user.
    async fn answers(&self, rows: &[(&str, u16, u16)]) {
        for (path, nobody, user) in rows {
            assert_eq!(self.get(path).await.status, *nobody, "{path}");
            assert_eq!(self.get_as_alice(path).await.status, *user, "{path}");
        }
    }

    async fn preflight(&self) -> Answer {
        let preflight = self.request("OPTIONS", "/me").header("origin", ORIGIN);
        let preflight = preflight
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization");
        Answer::to(preflight).await
    }

    async fn grpc(&self) -> Answer {
        let request = self.request("POST", "/me").header("origin", ORIGIN);
        let request = request.header("accept-encoding", "gzip");
        Answer::to(request.header("content-type", "application/grpc-web+proto")).await
    }
}

async fn me(session: Session) -> String {
    session.openid().to_owned()
}

fn routes() -> Router {
    Router::new().route("/me", get(me).post(me))
}

const ORIGIN: &str = "https://shop.example.com";

fn cors() -> CorsLayer {
    let grpc = ["grpc-status", "grpc-message", "grpc-status-details-bin"];
    let action = HeaderName::from_static("x-wx-action");
    let expose = [WWW_AUTHENTICATE, RETRY_AFTER, action].into_iter();
    CorsLayer::new()
        .allow_origin(HeaderValue::from_static(ORIGIN))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers(Vec::from_iter(
            expose.chain(grpc.map(HeaderName::from_static)),
        ))
}

#[tokio::test]
async fn with_cors_outside_preflights_pass_and_pages_can_read_refusals() {
    let last_is_outermost = Site::new(|layer| routes().layer(layer).layer(cors())).await;
    let first_is_outermost = Site::new(|layer| {
        let layers = ServiceBuilder::new().layer(cors()).layer(layer);
        routes().layer(layers)
    });
    for site in [last_is_outermost, first_is_outermost.await] {
        let preflight = site.preflight().await;
        assert_eq!(preflight.status, 200);
        assert_eq!(
            preflight.header("access-control-allow-origin"),
            Some(ORIGIN)
        );
        let allowed = preflight.header("access-control-allow-headers").unwrap();
        assert!(allowed.contains("authorization"), "{allowed}");

        let refused = Answer::to(site.request("GET", "/me").header("origin", ORIGIN)).await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.reason(), "session_missing");
        assert_eq!(refused.header("access-control-allow-origin"), Some(ORIGIN));
        let exposed = refused.header("access-control-expose-headers").unwrap();
        for name in ["www-authenticate", "retry-after", "x-wx-action"] {
            assert!(exposed.contains(name), "{exposed}");
        }

        let refused = site.grpc().await;
        let exposed = refused.header("access-control-expose-headers").unwrap();
        for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
            assert!(exposed.contains(name), "{exposed}");
            assert!(refused.header(name).is_some(), "{refused:?}");
        }
        assert_eq!(refused.header("access-control-allow-origin"), Some(ORIGIN));
    }
}

#[tokio::test]
async fn with_cors_inside_preflights_are_refused_and_pages_cannot_read_why() {
    let site = Site::new(|layer| routes().layer(cors()).layer(layer)).await;
    let preflight = site.preflight().await;
    assert_eq!(preflight.status, 401);
    assert_eq!(preflight.header("access-control-allow-origin"), None);
    let refused = Answer::to(site.request("GET", "/me").header("origin", ORIGIN)).await;
    assert_eq!(refused.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn options_that_are_unchecked_reach_whoever_answers_them_inside() {
    let app = || routes().route("/me", options("allowed"));
    let checked = Site::new(|layer| app().layer(layer)).await;
    assert_eq!(checked.preflight().await.status, 401);
    let unchecked =
        Site::new(|layer| app().layer(layer.with_unchecked(|method, _| method == Method::OPTIONS)));
    let unchecked = unchecked.await;
    assert_eq!(unchecked.preflight().await.body, "allowed");
    assert_eq!(unchecked.get("/me").await.status, 401);
}

#[tokio::test]
async fn a_layer_goes_around_the_fallback_and_a_route_layer_does_not() {
    let layered = Site::new(|layer| routes().layer(layer).route("/late", get("open"))).await;
    layered
        .answers(&[
            ("/me", 401, 200),
            ("/nowhere", 401, 404),
            ("/late", 200, 200),
        ])
        .await;
    let route_layered = Site::new(|layer| routes().route_layer(layer).route("/late", get("open")));
    let rows = [
        ("/me", 401, 200),
        ("/nowhere", 404, 404),
        ("/late", 200, 200),
    ];
    route_layered.await.answers(&rows).await;
    let own_fallback = |layer| {
        routes()
            .route_layer(layer)
            .fallback(async || StatusCode::GONE)
    };
    let rows = [("/me", 401, 200), ("/nowhere", 410, 410)];
    Site::new(own_fallback).await.answers(&rows).await;
}

#[tokio::test]
async fn a_layer_on_one_route_refuses_its_other_methods_and_a_route_layer_does_not() {
    let site = Site::new(|layer| {
        Router::new()
            .route("/layer", get(me).layer(layer.clone()))
            .route("/route_layer", get(me).route_layer(layer.clone()))
            .route("/one_method", get(me).route_layer(layer).post("open"))
            .route("/open", get("open"))
    });
    let site = site.await;
    let rows = [
        ("/layer", 401, 200),
        ("/route_layer", 401, 200),
        ("/one_method", 401, 200),
        ("/open", 200, 200),
    ];
    site.answers(&rows).await;
    for (path, status) in [("/layer", 401), ("/route_layer", 405), ("/one_method", 200)] {
        let answer = Answer::to(site.request("POST", path)).await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn merged_routers_keep_their_layers_and_the_fallback_of_the_last() {
    let public = || Router::new().route("/public", get("open"));
    type Merge = fn(Sessioned, Router) -> Router;
    let rows: [(Merge, u16); 4] = [
        (|layer, public| routes().layer(layer).merge(public), 404),
        (|layer, public| public.merge(routes().layer(layer)), 401),
        (
            |layer, public| routes().route_layer(layer).merge(public),
            404,
        ),
        (
            |layer, public| public.merge(routes().route_layer(layer)),
            404,
        ),
    ];
    for (merge, unknown) in rows {
        let site = Site::new(|layer| merge(layer, public())).await;
        let rows = [
            ("/me", 401, 200),
            ("/public", 200, 200),
            ("/nowhere", unknown, 404),
        ];
        site.answers(&rows).await;
    }
}

#[tokio::test]
async fn inside_a_nested_router_the_uri_has_no_prefix() {
    let unchecked = |path: &'static str| {
        move |layer: Sessioned| layer.with_unchecked(move |_, uri| uri.path() == path)
    };
    let api = || routes().route("/health", get("open"));
    for (path, health) in [("/health", 200), ("/api/health", 401)] {
        let inside = Site::new(|layer| {
            let api = api().route_layer(unchecked(path)(layer));
            Router::new().nest("/api", api).route("/me", get("open"))
        });
        let rows = [
            ("/api/health", health, 200),
            ("/api/me", 401, 200),
            ("/me", 200, 200),
        ];
        inside.await.answers(&rows).await;
        let around = Site::new(|layer| {
            Router::new()
                .nest("/api", api())
                .layer(unchecked(path)(layer))
        });
        let health = if health == 200 { 401 } else { 200 };
        let rows = [("/api/health", health, 200), ("/api/me", 401, 200)];
        around.await.answers(&rows).await;
    }
}

/// A status, and the reason in the extensions.
type Answered = (u16, Option<&'static str>);

/// What a trace layer tells of: statuses with the reason of a refusal, and failures.
#[derive(Clone, Default)]
struct Seen {
    answers: Arc<Mutex<Vec<Answered>>>,
    failures: Arc<AtomicUsize>,
}

impl Seen {
    fn on_response<B>(
        &self,
    ) -> impl Fn(&http::Response<B>, Duration, &tracing::Span) + Clone + use<B> {
        let answers = Arc::clone(&self.answers);
        move |response, _, _| {
            let rejection = response.extensions().get::<Rejection>();
            let reason = rejection.map(|rejection| rejection.kind().reason());
            let seen = (response.status().as_u16(), reason);
            answers.lock().unwrap().push(seen);
        }
    }

    fn on_failure<F>(&self) -> impl Fn(F, Duration, &tracing::Span) + Clone + use<F> {
        let failures = Arc::clone(&self.failures);
        move |_, _, _| {
            failures.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn take(&self) -> (Vec<Answered>, usize) {
        let answers = std::mem::take(&mut *self.answers.lock().unwrap());
        (answers, self.failures.swap(0, Ordering::SeqCst))
    }
}

#[tokio::test]
async fn a_trace_layer_outside_sees_every_refusal_and_why() {
    for (preset, refused) in [(Preset::Json, 401), (Preset::OkJson, 200)] {
        let seen = Seen::default();
        let trace = TraceLayer::new_for_http()
            .on_response(seen.on_response())
            .on_failure(seen.on_failure());
        let app = |layer: Sessioned| {
            let layer = layer.with_rejection_response(preset);
            routes().layer(layer).layer(trace)
        };
        let site = Site::new(app).await;
        site.get("/me").await;
        assert_eq!(seen.take(), (vec![(refused, Some("session_missing"))], 0));
        site.is_down.store(true, Ordering::SeqCst);
        let unavailable = site.get_as_alice("/me").await.status;
        let is_failure = usize::from(unavailable == 503);
        let answered = vec![(unavailable, Some("store_unavailable"))];
        assert_eq!(seen.take(), (answered, is_failure));
        assert_eq!(is_failure, usize::from(preset == Preset::Json));
        site.is_down.store(false, Ordering::SeqCst);
        let back = async {
            while site.get_as_alice("/me").await.body != "alice" {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within_ten_seconds(back).await;
        assert_eq!(seen.take().0.last(), Some(&(200, None)));
    }
}

#[tokio::test]
async fn to_a_trace_layer_for_grpc_a_refusal_is_a_failure_unless_it_is_told_otherwise() {
    let lenient = GrpcErrorsAsFailures::new().with_success(GrpcCode::Unauthenticated);
    for (classifier, failures) in [(GrpcErrorsAsFailures::new(), 1), (lenient, 0)] {
        let seen = Seen::default();
        let trace = TraceLayer::new(SharedClassifier::new(classifier))
            .on_response(seen.on_response())
            .on_failure(seen.on_failure());
        let site = Site::new(|layer| routes().layer(layer).layer(trace)).await;
        assert_eq!(site.grpc().await.header("grpc-status"), Some("16"));
        let answered = vec![(200, Some("session_missing"))];
        assert_eq!(seen.take(), (answered, failures));
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Has all that this thread logs from now on written here.
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone());
        (log, subscriber.finish().set_default())
    }

    /// What the trace layer has logged about requests.
    fn of_requests(&self) -> String {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let of_requests = text.lines().filter(|line| line.contains("/me"));
        of_requests.collect::<Vec<_>>().join("\n")
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether a trace layer that stands where `app` has it logs the token.
async fn logs_token(in_query: bool, app: impl FnOnce(Sessioned) -> Router) -> bool {
    let (log, _guard) = Log::start();
    let sources = [TokenSource::bearer(), TokenSource::query("token")];
    let site = Site::new(|layer| app(layer.with_sources(sources))).await;
    let answer = if in_query {
        site.get(&format!("/me?token={}", site.token)).await
    } else {
        site.get_as_alice("/me").await
    };
    assert_eq!(answer.body, "alice");
    let log = log.of_requests();
    assert!(log.contains("finished processing request"), "{log}");
    log.contains(&site.token)
}

#[tokio::test]
async fn the_default_span_outside_has_a_token_from_the_query_and_inside_it_has_not() {
    let default = || TraceLayer::new_for_http();
    assert!(logs_token(true, |layer| routes().layer(layer).layer(default())).await);
    assert!(!logs_token(true, |layer| routes().layer(default()).layer(layer)).await);
    assert!(!logs_token(false, |layer| routes().layer(layer).layer(default())).await);
    let path = default().make_span_with(|request: &Request| {
        tracing::info_span!("request", method = %request.method(), path = request.uri().path())
    });
    assert!(!logs_token(true, |layer| routes().layer(layer).layer(path)).await);
}

#[tokio::test]
async fn headers_that_are_logged_show_the_token_outside_and_not_inside() {
    let with_headers = || {
        let span = DefaultMakeSpan::new().include_headers(true);
        TraceLayer::new_for_http().make_span_with(span)
    };
    let outside = |layer| routes().layer(layer).layer(with_headers());
    assert!(logs_token(false, outside).await);
    let inside = |layer| routes().layer(with_headers()).layer(layer);
    assert!(!logs_token(false, inside).await);
    let sensitive = |layer| {
        let sensitive = SetSensitiveRequestHeadersLayer::new([AUTHORIZATION]);
        routes().layer(layer).layer(with_headers()).layer(sensitive)
    };
    assert!(!logs_token(false, sensitive).await);
}

/// What a service that is full, too slow or too busy answers.
async fn too_much(error: BoxError) -> Response {
    let status = match error.is::<Elapsed>() {
        true => StatusCode::GATEWAY_TIMEOUT,
        false => StatusCode::TOO_MANY_REQUESTS,
    };
    (status, [(RETRY_AFTER, "1")], r#"{"action":"retry"}"#).into_response()
}

/// Lets two requests through, and turns the others away.
macro_rules! two_requests {
    () => {
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(too_much))
            .layer(BufferLayer::new(16))
            .layer(LoadShedLayer::new())
            .layer(RateLimitLayer::new(2, HOUR))
    };
}

#[tokio::test]
async fn a_rate_limit_outside_counts_rubbish_and_one_inside_does_not() {
    let outside = Site::new(|layer| routes().layer(layer).layer(two_requests!())).await;
    for _ in 0..2 {
        assert_eq!(outside.get("/me").await.status, 401);
    }
    assert_eq!(outside.get("/me").await.status, 429);
    let shed = outside.get_as_alice("/me").await;
    assert_eq!((shed.status, shed.header("x-rejection")), (429, None));

    let inside = Site::new(|layer| routes().layer(two_requests!()).layer(layer)).await;
    for _ in 0..20 {
        assert_eq!(inside.get("/me").await.status, 401);
    }
    for status in [200, 200, 429] {
        assert_eq!(inside.get_as_alice("/me").await.status, status);
    }
    assert_eq!(inside.get("/me").await.status, 401);
}

#[tokio::test]
async fn a_rate_limit_is_of_each_route_by_itself() {
    let site = Site::new(|layer| {
        let routes = routes().route("/me/too", get(me));
        routes.layer(two_requests!()).layer(layer)
    });
    let site = site.await;
    for path in ["/me", "/me/too"] {
        for status in [200, 200, 429] {
            assert_eq!(site.get_as_alice(path).await.status, status, "{path}");
        }
    }
}

#[tokio::test]
async fn a_limit_inside_can_be_kept_per_user() {
    let counts = Arc::new(Mutex::new(Vec::<String>::new()));
    let limit = move |session: Session, request: Request, next: Next| {
        let mut counts = counts.lock().unwrap();
        counts.push(session.openid().to_owned());
        let user = counts.iter().filter(|openid| *openid == session.openid());
        let is_too_much = user.count() > 2;
        async move {
            if is_too_much {
                return StatusCode::TOO_MANY_REQUESTS.into_response();
            }
            next.run(request).await
        }
    };
    let app = |layer| routes().route_layer(from_fn(limit)).route_layer(layer);
    let site = Site::new(app).await;
    for status in [200, 200, 429] {
        assert_eq!(site.get("/me").await.status, 401);
        assert_eq!(site.get_as_alice("/me").await.status, status);
    }
    let bob = site
        .sessions
        .issue(Identity::new("appid", "bob"))
        .await
        .unwrap();
    let bob = site.request("GET", "/me").bearer_auth(bob.token().expose());
    assert_eq!(Answer::to(bob).await.status, 200);
}

/// A handler that waits to be let go.
struct Slow {
    entered: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Slow {
    fn new() -> Self {
        let (entered, gate) = (Arc::default(), Arc::new(Semaphore::new(0)));
        Self { entered, gate }
    }

    fn routes(&self) -> Router {
        let (entered, gate) = (Arc::clone(&self.entered), Arc::clone(&self.gate));
        let slow = move || {
            entered.fetch_add(1, Ordering::SeqCst);
            async move { gate.acquire().await.unwrap().forget() }
        };
        Router::new().route("/me", get(slow))
    }

    /// Has `site` busy with one request.
    async fn occupy(&self, site: &Site) -> tokio::task::JoinHandle<u16> {
        let request = site.request("GET", "/me").bearer_auth(&site.token);
        let busy = tokio::spawn(async { request.send().await.unwrap().status().as_u16() });
        until(|| self.entered.load(Ordering::SeqCst) == 1).await;
        busy
    }
}

#[tokio::test]
async fn load_shedding_outside_turns_all_away_and_inside_rubbish_is_refused_as_ever() {
    let errors = || HandleErrorLayer::new(too_much);
    let one = || GlobalConcurrencyLimitLayer::new(1);
    let shed = LoadShedLayer::new;
    type App<'a> = Box<dyn Fn(Router, Sessioned) -> Router + 'a>;
    let outside: App<'_> = Box::new(|routes, layer| {
        let layers = ServiceBuilder::new().layer(errors()).layer(shed());
        routes.route_layer(layers.layer(layer).layer(one()))
    });
    let inside: App<'_> = Box::new(|routes, layer| {
        let layers = ServiceBuilder::new().layer(layer).layer(errors());
        routes.route_layer(layers.layer(shed()).layer(one()))
    });
    for (app, rubbish) in [(outside, 429), (inside, 401)] {
        let slow = Slow::new();
        let site = Site::new(|layer| app(slow.routes(), layer)).await;
        let busy = slow.occupy(&site).await;
        assert_eq!(site.get("/me").await.status, rubbish);
        assert_eq!(site.get_as_alice("/me").await.status, 429);
        slow.gate.add_permits(2);
        assert_eq!(busy.await.unwrap(), 200);
        // Refusals give back the one place.
        for _ in 0..5 {
            assert_eq!(site.get("/me").await.status, 401);
        }
        assert_eq!(site.get_as_alice("/me").await.status, 200);
    }
}

#[tokio::test]
async fn the_inner_error_comes_through_and_one_handler_outside_answers_it() {
    let slow = Slow::new();
    let timeout = TimeoutLayer::new(Duration::from_millis(20));
    let site = Site::new(|layer| {
        let layers = ServiceBuilder::new()
            .layer(HandleErrorLayer::new(too_much))
            .layer(layer)
            .layer(timeout);
        slow.routes().route_layer(layers)
    });
    let site = site.await;
    let late = site.get_as_alice("/me").await;
    assert_eq!(late.status, 504);
    assert_eq!(late.json()["action"], "retry");
    assert_eq!(site.get("/me").await.status, 401);
}

#[tokio::test]
async fn a_time_out_outside_has_to_be_longer_than_the_store_deadline() {
    const SHORT: Duration = Duration::from_millis(20);
    for (deadline, limit, status) in [(SHORT, 10 * SECOND, 503), (10 * SECOND, SHORT, 504)] {
        let (clock, store) = store_on_a_clock();
        let token = log_in(&node(&store, &clock)).await;
        let hangs = store.before(|op| async move {
            if op == Op::Load {
                std::future::pending::<()>().await;
            }
            Ok(())
        });
        let sessions = node_with(&hangs, &clock, |builder| builder.store_deadline(deadline));
        let layers = ServiceBuilder::new()
            .layer(HandleErrorLayer::new(too_much))
            .layer(TimeoutLayer::new(limit))
            .layer(SessionLayer::new(sessions));
        let server = Server::start(routes().route_layer(layers)).await;
        let request = client(Version::HTTP_11).get(server.url("/me"));
        let answer = Answer::to(request.bearer_auth(&token)).await;
        assert_eq!(answer.status, status);
        let by_the_layer = answer.header("x-rejection").is_some();
        assert_eq!(by_the_layer, status == 503);
    }
}

#[tokio::test]
async fn a_body_limit_outside_answers_anybody_and_inside_live_sessions_only() {
    let limit = || RequestBodyLimitLayer::new(4);
    let send = async |site: &Site, token: &str| {
        let request = site.request("POST", "/me").body("too long");
        Answer::to(request.bearer_auth(token)).await.status
    };
    let outside = Site::new(|layer| routes().layer(layer).layer(limit())).await;
    let inside = Site::new(|layer| routes().layer(limit()).layer(layer)).await;
    assert_eq!(send(&outside, "rubbish").await, 413);
    assert_eq!(send(&outside, &outside.token).await, 413);
    assert_eq!(send(&inside, "rubbish").await, 401);
    assert_eq!(send(&inside, &inside.token).await, 413);
}

#[tokio::test]
async fn compression_outside_compresses_refusals_but_not_those_of_grpc() {
    let compress = CompressionLayer::new;
    let outside = Site::new(|layer| routes().layer(layer).layer(compress())).await;
    let inside = Site::new(|layer| routes().layer(compress()).layer(layer)).await;
    for (site, encoding) in [(outside, Some("gzip")), (inside, None)] {
        let request = site.request("GET", "/me").header("accept-encoding", "gzip");
        let refused = request.send().await.unwrap();
        assert_eq!(refused.status(), 401);
        let header = refused.headers().get("content-encoding");
        assert_eq!(header.map(|value| value.to_str().unwrap()), encoding);
        assert_eq!(site.grpc().await.header("content-encoding"), None);
    }
}
