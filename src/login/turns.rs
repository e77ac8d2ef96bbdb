use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::attempts::CodeDigest;
use super::provider::{ExchangeError, ExchangeErrorKind};

/// Exchanges at the provider at the same time.
const RUNNING: usize = 64;
/// Logins that wait for one to end: some 5 KB each, and more than a provider serves
/// within the deadline at 100 ms for an exchange.
const WAITING: usize = 4096;

/// Whose turn it is to exchange a code.
pub(super) struct Turns {
    running: Semaphore,
    waiting: Semaphore,
}

impl Turns {
    pub(super) fn new(running: usize) -> Self {
        Self {
            running: Semaphore::new(running.clamp(1, Semaphore::MAX_PERMITS)),
            waiting: Semaphore::new(WAITING),
        }
    }

    /// A turn, if there is one right now.
    pub(super) fn now(&self) -> Option<SemaphorePermit<'_>> {
        self.running.try_acquire().ok()
    }

    /// A turn after all who have waited longer; `None` if too many wait, or it does not come within
    /// `limit`.
    pub(super) async fn wait(&self, limit: Duration) -> Option<SemaphorePermit<'_>> {
        let _waiting = self.waiting.try_acquire().ok()?;
        timeout(limit, self.running.acquire()).await.ok()?.ok()
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new(RUNNING)
    }
}

/// Nobody's turn, for the operator.
pub(super) fn too_busy() -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Unavailable).caused_by("too many exchanges in flight")
}

/// Whoever was refused at the same time comes back at another time: in 3 to 6 s.
pub(super) fn comes_back_in(code: CodeDigest) -> Duration {
    Duration::from_secs(3 + u64::from(code.spread() % 4))
}
