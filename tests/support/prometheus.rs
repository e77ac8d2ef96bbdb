//! What a recorder of metrics would show to Prometheus.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// A recorder for one thread.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Metrics {
    pub fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        Self { recorder, handle }
    }

    /// Records what this thread measures until the guard is dropped.
    pub fn record(&self) -> metrics::LocalRecorderGuard<'_> {
        metrics::set_default_local_recorder(&self.recorder)
    }

    pub fn text(&self) -> String {
        self.handle.render()
    }

    /// Every series of a metric that is not zero: its labels as they are shown, and its value.
    pub fn series(&self, name: &str) -> Vec<(String, f64)> {
        let text = self.text();
        let mut series: Vec<_> = samples(&text)
            .filter(|(other, _, value)| *other == name && *value != 0.0)
            .map(|(_, labels, value)| (labels.to_owned(), value))
            .collect();
        series.sort_by(|a, b| a.0.cmp(&b.0));
        series
    }

    /// The value of one series; 0 if it is not there.
    pub fn value(&self, name: &str, labels: &str) -> f64 {
        let series = self.series(name);
        let found = series.iter().find(|(other, _)| other == labels);
        found.map_or(0.0, |(_, value)| *value)
    }
}

/// Name, labels and value of every sample in a text for Prometheus.
pub fn samples(text: &str) -> impl Iterator<Item = (&str, &str, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter(|line| !line.is_empty()).map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        (name, labels.trim_end_matches('}'), value.parse().unwrap())
    })
}
