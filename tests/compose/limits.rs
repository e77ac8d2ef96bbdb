//! Limits, time-outs and compression around the layer and inside it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{BoxError, Router};
use http::header::RETRY_AFTER;
use http::{StatusCode, Version};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower::buffer::BufferLayer;
use tower::limit::{GlobalConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::timeout::{TimeoutLayer, error::Elapsed};
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_wx_session::{Identity, Session, SessionLayer};

use super::site::{Sessioned, Site, me, routes};
use crate::support::Op;
use crate::support::http::{Answer, Server, client};
use crate::support::nodes::{log_in, node, node_with, store_on_a_clock};
use crate::support::world::{HOUR, SECOND, until};

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
