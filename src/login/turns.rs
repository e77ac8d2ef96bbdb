use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::code::CodeDigest;
use super::exchange_error::{ExchangeError, ExchangeErrorKind};

/// Exchanges at a platform at the same time.
pub(super) const RUNNING: usize = 64;
/// Logins that wait for one to end: some 5 KB each, and more than a provider serves
/// within the deadline at 100 ms for an exchange.
const WAITING: usize = 4096;

/// Bounds the exchanges in flight, and the logins that wait for one.
///
/// A permit is a turn. It is given back when it is dropped, so a login that is cancelled, or panics
/// in the provider, leaves no turn taken; likewise a place among those that wait.
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

    /// A turn, if there is one right now. The semaphore hands a permit that comes back to the
    /// longest waiter, so this overtakes no login that waits.
    pub(super) fn now(&self) -> Option<SemaphorePermit<'_>> {
        self.running.try_acquire().ok()
    }

    /// A turn after all who have waited longer; `None` if too many wait, or it does not come within
    /// `limit`.
    pub(super) async fn wait(&self, limit: Duration) -> Option<SemaphorePermit<'_>> {
        // Held until the wait is over, whichever way: it is what bounds the queue of `running`.
        let _waiting = self.waiting.try_acquire().ok()?;
        timeout(limit, self.running.acquire()).await.ok()?.ok()
    }
}

/// No turn came in time, for the log.
pub(super) fn too_busy() -> ExchangeError {
    ExchangeError::new(ExchangeErrorKind::Unavailable).caused_by("too many exchanges in flight")
}

/// In 3 to 6 s: logins that were refused at the same time are not repeated at the same time.
pub(super) fn retry_after(code: CodeDigest) -> Duration {
    Duration::from_secs(3 + u64::from(code.spread() % 4))
}
