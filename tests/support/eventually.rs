//! Waiting for what comes about by itself.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// The longest that anything takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something is so.
pub async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
