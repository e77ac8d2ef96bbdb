//! What a request costs in allocations while it is counted: no more than otherwise.
#![cfg(all(feature = "metrics", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;

use allocation_counter::measure;
use http::{Request, Response};
use support::nodes::{log_in, node, store_on_a_clock};
use support::prometheus::samples;
use tower::{Layer, Service, service_fn};
use tower_wx_session::SessionLayer;

#[tokio::test]
async fn a_hit_that_is_counted_allocates_as_much_as_one_that_is_not() {
    #[cfg(feature = "tracing")]
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::sink)
        .init();
    // For all threads, and in the way of a server: not one that is looked up per thread.
    let builder = metrics_exporter_prometheus::PrometheusBuilder::new();
    let prometheus = builder.install_recorder().unwrap();
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let session = sessions.check(&token).await.unwrap();
    let mut bare = Request::new(());
    let insert = measure(|| {
        bare.extensions_mut().insert(session);
    });
    assert!(insert.count_total > 0, "the counter does not count");

    let inner =
        service_fn(|request: Request<()>| ready(Ok::<_, Infallible>(Response::new(request))));
    let mut service = SessionLayer::new(sessions).layer(inner);
    for _ in 0..3 {
        let request = Request::builder().header("authorization", format!("Bearer {token}"));
        let request = request.body(()).unwrap();
        let mut answer = None;
        let hit = measure(|| answer = Some(black_box(service.call(request))));
        assert_eq!(hit.count_total, insert.count_total);
        assert_eq!(hit.bytes_total, insert.bytes_total);
        answer.unwrap().await.unwrap();
    }

    let text = prometheus.render();
    let hits: f64 = samples(&text)
        .filter(|(name, labels, _)| {
            *name == "wx_session_checks_total" && labels.contains(r#"answered_by="table""#)
        })
        .map(|(_, _, value)| value)
        .sum();
    assert_eq!(hits, 4.0, "three requests, and the check before them");
}
