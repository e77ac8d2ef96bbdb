//! `/metrics` for Prometheus; `examples/grafana/dashboard.json` shows them.
#![allow(unreachable_pub, reason = "a module of a program")]

use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics::Recorder;
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

/// From a store in the same process to one that is about to miss its deadline.
const BUCKETS: [f64; 12] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
];
/// Samples are kept until they are worked off.
const UPKEEP: Duration = Duration::from_secs(5);

/// Measures from now on; the route shows what. In production, keep it from the public: serve it on
/// an address of its own. `around` may put a recorder of its own around that of Prometheus.
pub fn metrics<R: Recorder + Sync + 'static>(
    around: impl FnOnce(PrometheusRecorder) -> R,
) -> Result<Router, String> {
    let durations = Matcher::Suffix("_duration_seconds".to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(durations, &BUCKETS)
        .map_err(|error| format!("cannot measure: {error}"))?
        .build_recorder();
    let prometheus = recorder.handle();
    metrics::set_global_recorder(around(recorder))
        .map_err(|error| format!("cannot measure: {error}"))?;
    tokio::spawn(keep_up(prometheus.clone()));
    let show = async move || {
        let format = [(CONTENT_TYPE, "text/plain; version=0.0.4")];
        (format, prometheus.render())
    };
    Ok(Router::new().route("/metrics", get(show)))
}

async fn keep_up(prometheus: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        prometheus.run_upkeep();
    }
}
