//! What a request costs in allocations.
#![cfg(feature = "test-util")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use http::{HeaderValue, Method, Request, Response};
use support::nodes::{log_in, node, store_on_a_clock};
use tower::{Layer, Service, service_fn};
use tower_wx_session::{SessionLayer, TokenSource};

fn request(header: &str, value: &str) -> Request<()> {
    Request::builder().header(header, value).body(()).unwrap()
}

fn answer(request: Request<()>) -> Ready<Result<Response<Request<()>>, Infallible>> {
    ready(Ok(Response::new(request)))
}

/// Allocations of `call` itself, once the first request has warmed up what is warmed up once.
fn allocations_of<S, T, B>(service: &mut S, mut requests: [Request<()>; 2]) -> AllocationInfo
where
    S: Service<Request<()>, Future = T>,
    T: Future<Output = Result<Response<B>, Infallible>> + Unpin,
{
    requests.reverse();
    let mut info = AllocationInfo::default();
    for request in requests {
        let mut answer = None;
        info = measure(|| answer = Some(black_box(service.call(request))));
        drop(answer);
    }
    info
}

#[tokio::test]
async fn a_hit_allocates_for_the_extensions_and_nothing_else() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let session = sessions.check(&token).await.unwrap();

    let mut bare = Request::new(());
    let insert = measure(|| {
        bare.extensions_mut().insert(session);
    });
    assert!(insert.count_total > 0, "the counter does not count");

    // Places that a request makes no use of cost it nothing.
    let layer = SessionLayer::new(sessions).with_sources([
        TokenSource::bearer(),
        TokenSource::skey(),
        TokenSource::query("token"),
        TokenSource::websocket_protocol(),
    ]);
    let mut service = layer.layer(service_fn(answer));
    for (header, value) in [
        ("authorization", format!("Bearer {token}")),
        ("x-wx-skey", token.clone()),
    ] {
        let requests = [request(header, &value), request(header, &value)];
        let hit = allocations_of(&mut service, requests);
        assert_eq!(hit.count_total, insert.count_total, "{header}");
        assert_eq!(hit.bytes_total, insert.bytes_total, "{header}");
    }
}

#[tokio::test]
async fn a_flush_with_nothing_to_write_allocates_nothing() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let flush = || {
        let mut polled = Poll::Pending;
        let mut context = Context::from_waker(Waker::noop());
        let cost = measure(|| polled = pin!(sessions.flush()).poll(&mut context).map(drop));
        (polled, cost.count_total)
    };
    assert_eq!(flush(), (Poll::Ready(()), 0));
    clock.advance(Duration::from_secs(1));
    sessions.check(&token).await.unwrap();
    assert!(flush().0.is_pending(), "there is a use to write");
    sessions.flush().await.unwrap();
    assert_eq!(flush(), (Poll::Ready(()), 0));
}

#[tokio::test]
async fn a_refusal_without_the_store_allocates_for_the_response_only() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let good = log_in(&sessions).await;
    let forged = format!("{}A{}", &good[..20], &good[21..]);
    let mut service = SessionLayer::new(sessions).layer(service_fn(answer));
    // The map of headers, and the box of the extensions with their first entry.
    let response = measure(|| {
        let mut response = Response::new(());
        let headers = response.headers_mut();
        headers.reserve(4);
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("cache-control", "no-store".parse().unwrap());
        headers.insert("www-authenticate", "Bearer".parse().unwrap());
        response.extensions_mut().insert([0_u64; 5]);
        black_box(response);
    });
    for value in ["", "Bearer nonsense", &format!("Bearer {forged}")] {
        let requests = [
            request("authorization", value),
            request("authorization", value),
        ];
        let refusal = allocations_of(&mut service, requests);
        assert!(
            refusal.count_total <= response.count_total,
            "{} allocations, {} of a response",
            refusal.count_total,
            response.count_total,
        );
    }
}

#[tokio::test]
async fn a_grpc_hit_allocates_what_an_http_hit_does() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let mut service = SessionLayer::new(sessions).layer(service_fn(answer));
    let mut allocations_with = |content_type: &str| {
        let value = format!("Bearer {token}");
        let request = || {
            let mut request = request("authorization", &value);
            *request.method_mut() = Method::POST;
            let content_type = content_type.parse().unwrap();
            request.headers_mut().insert("content-type", content_type);
            request
        };
        let hit = allocations_of(&mut service, [request(), request()]);
        (hit.count_total, hit.bytes_total)
    };
    let http = allocations_with("application/json");
    assert!(http.0 > 0, "the counter does not count");
    assert_eq!(allocations_with("application/grpc"), http);
    assert_eq!(allocations_with("application/grpc-web-text+proto"), http);
}

#[tokio::test]
async fn a_grpc_refusal_without_the_store_allocates_for_the_response_only() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let good = log_in(&sessions).await;
    let forged = format!("{}A{}", &good[..20], &good[21..]);
    let mut service = SessionLayer::new(sessions).layer(service_fn(answer));
    // The map of headers, and the box of the extensions with their first entry.
    let response = measure(|| {
        let mut response = Response::new(());
        let headers = response.headers_mut();
        headers.reserve(6);
        let details = "grpc-status-details-bin";
        for name in ["content-type", "grpc-status", "grpc-message", details] {
            headers.insert(name, HeaderValue::from_static("any"));
        }
        for name in ["cache-control", "x-wx-action"] {
            headers.insert(name, HeaderValue::from_static("any"));
        }
        response.extensions_mut().insert([0_u64; 5]);
        black_box(response);
    });
    for value in ["", "Bearer nonsense", &format!("Bearer {forged}")] {
        let request = || {
            let mut request = request("authorization", value);
            *request.method_mut() = Method::POST;
            let content_type = HeaderValue::from_static("application/grpc");
            request.headers_mut().insert("content-type", content_type);
            request
        };
        let refusal = allocations_of(&mut service, [request(), request()]);
        assert!(
            refusal.count_total <= response.count_total,
            "{} allocations, {} of a response",
            refusal.count_total,
            response.count_total,
        );
    }
}
