//! Where each check was answered: a recorder around another one.
//!
//! The crate counts its checks by where they were answered, and counts in the task of the request. So
//! the label is noted there, for this request and no other, however many run at the same time.

use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;

use metrics::{
    Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use serde::Serialize;

const CHECKS: &str = "wx_session_checks_total";

tokio::task_local! {
    static CHECK: RefCell<Option<Check>>;
}

/// What came of the check of a request, in the words of the metric's labels.
#[derive(Clone, Serialize)]
pub struct Check {
    verdict: String,
    answered_by: String,
}

/// Does a request's work, and tells what its check came to, if it had one.
pub async fn watched<F: Future>(work: F) -> (F::Output, Option<Check>) {
    let watching = async {
        let output = work.await;
        (output, CHECK.with(RefCell::take))
    };
    CHECK.scope(RefCell::default(), watching).await
}

/// Hands everything on, and notes what checks are counted as.
pub struct Places<R>(pub R);

impl<R: Recorder> Recorder for Places<R> {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_counter(key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_gauge(key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_histogram(key, unit, description);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let counter = self.0.register_counter(key, metadata);
        if key.name() != CHECKS {
            return counter;
        }
        let check = Check {
            verdict: label(key, "verdict"),
            answered_by: label(key, "answered_by"),
        };
        Counter::from_arc(Arc::new(Noted { counter, check }))
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.0.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.0.register_histogram(key, metadata)
    }
}

fn label(key: &Key, name: &str) -> String {
    let label = key.labels().find(|label| label.key() == name);
    label.map_or_else(String::new, |label| label.value().to_owned())
}

struct Noted {
    counter: Counter,
    check: Check,
}

impl CounterFn for Noted {
    fn increment(&self, value: u64) {
        // Outside of a watched request there is nobody to tell.
        let _ = CHECK.try_with(|check| check.replace(Some(self.check.clone())));
        self.counter.increment(value);
    }

    fn absolute(&self, value: u64) {
        self.counter.absolute(value);
    }
}
