use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Tasks of one kind that are at the store at the same time.
const TURNS: usize = 64;

/// How many tasks of one kind are at the store at the same time: they hold up no requests, and no
/// kind holds up another.
#[derive(Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Turns {
    /// Waits for a turn; `None` would mean that there are none any more.
    pub(super) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TURNS)))
    }
}
