use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::{Timestamp, millis};

/// A clock that moves only when a test says so.
///
/// Give clones of one clock to a store and to the sessions on it, and expiry can be tested to the
/// millisecond without a sleep.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    millis: AtomicU64,
    moved: Notify,
}

impl ManualClock {
    /// A clock that stands at 2026-01-01 00:00:00 UTC.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Hands {
            millis: 1_767_225_600_000.into(),
            moved: Notify::new(),
        }))
    }

    /// The instant that it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.millis.load(Ordering::SeqCst))
    }

    /// Moves it forward.
    pub fn advance(&self, span: Duration) {
        self.0.millis.fetch_add(millis(span), Ordering::SeqCst);
        self.0.moved.notify_waiters();
    }

    pub(super) async fn sleep(&self, span: Duration) {
        let end = self.now().after(span);
        loop {
            let moved = self.0.moved.notified();
            if self.now() >= end {
                return;
            }
            moved.await;
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}
