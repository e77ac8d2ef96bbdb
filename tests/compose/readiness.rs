//! The service that was polled ready is the one that is called.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::time::timeout;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_wx_session::SessionLayer;

use crate::support::nodes::{log_in, node, store_on_a_clock};

fn request(token: &str) -> Request<()> {
    Request::builder()
        .header("authorization", format!("Bearer {token}"))
        .body(())
        .unwrap()
}

/// Panics if it is called without having been polled ready.
#[derive(Default)]
struct Strict {
    is_ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.is_ready),
            "called before it was ready"
        );
        ready(Ok(Response::new(String::new())))
    }
}

#[tokio::test]
async fn a_hit_and_a_miss_call_the_readied_service() {
    let (clock, store) = store_on_a_clock();
    let token = log_in(&node(&store, &clock)).await;
    let cold = node(&store, &clock);
    let mut service = SessionLayer::new(cold).layer(Strict::default());
    for _miss_then_hits in 0..3 {
        let response = service.ready().await.unwrap().call(request(&token)).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_miss_keeps_its_place_under_a_concurrency_limit() {
    let (clock, store) = store_on_a_clock();
    let token = log_in(&node(&store, &clock)).await;
    let service = ServiceBuilder::new()
        .layer(SessionLayer::new(node(&store, &clock)))
        .layer(ConcurrencyLimitLayer::new(1))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::new(String::new()))
        }));
    // A clone that has not acquired its permit panics when it is called; a permit that leaks
    // leaves the next request waiting for ever.
    for _ in 0..10 {
        let answered = timeout(
            Duration::from_secs(5),
            service.clone().oneshot(request(&token)),
        );
        assert_eq!(answered.await.unwrap().unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_refused_request_frees_its_place() {
    let (clock, store) = store_on_a_clock();
    let service = ServiceBuilder::new()
        .layer(SessionLayer::new(node(&store, &clock)))
        .layer(ConcurrencyLimitLayer::new(1))
        .service(Strict::default());
    // Each connection keeps a service of its own, as hyper's servers do.
    let mut connections = Vec::new();
    for _ in 0..3 {
        let mut connection = service.clone();
        let ready = timeout(Duration::from_secs(5), connection.ready()).await;
        let response = ready.unwrap().unwrap().call(request("nonsense")).await;
        assert_eq!(response.unwrap().status(), StatusCode::UNAUTHORIZED);
        connections.push(connection);
    }
}
