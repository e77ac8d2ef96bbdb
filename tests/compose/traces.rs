//! What a trace layer sees outside and inside.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use http::header::AUTHORIZATION;
use tower_http::classify::{GrpcCode, GrpcErrorsAsFailures, SharedClassifier};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::{DefaultMakeSpan, TraceLayer};
use tower_wx_session::response::Preset;
use tower_wx_session::{Rejection, TokenSource};
use tracing::Level;

use super::site::{Sessioned, Site, routes};
use crate::support::log::Log;
use crate::support::world::within_ten_seconds;

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

/// Whether a trace layer that stands where `app` has it logs the token.
async fn logs_token(in_query: bool, app: impl FnOnce(Sessioned) -> Router) -> bool {
    let (log, _guard) = Log::from(Level::TRACE);
    let sources = [TokenSource::bearer(), TokenSource::query("token")];
    let site = Site::new(|layer| app(layer.with_sources(sources))).await;
    let answer = if in_query {
        site.get(&format!("/me?token={}", site.token)).await
    } else {
        site.get_as_alice("/me").await
    };
    assert_eq!(answer.body, "alice");
    let log = log.take("/me").join(
        "
",
    );
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
