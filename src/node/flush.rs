//! Waits until the store has what this node has noted: uses, and revocations that wait.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Node;
use crate::store::SessionStore;

/// How often a flush looks for what has lost its writer.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

impl<S: SessionStore> Node<S> {
    /// Whether there is nothing to write.
    pub(crate) fn is_flushed(&self) -> bool {
        self.touches.are_written() && self.revocations.are_written()
    }

    /// Writes what was noted before the call. What comes later does not prolong it, and is not held
    /// up by it.
    pub(crate) async fn flush(self: &Arc<Self>) {
        // Both begin here, not one after the other.
        let (uses, revocations) = (self.touches.flush(), self.revocations.flush());
        let mut both = pin!(async { tokio::join!(uses, revocations) });
        loop {
            // Again and again: another runtime may end meanwhile, and its writers with it.
            self.start();
            if timeout(LOOK_AGAIN_AFTER, &mut both).await.is_ok() {
                return;
            }
        }
    }

    /// Writes all there is, also what comes meanwhile.
    pub(crate) async fn flush_all(self: &Arc<Self>) {
        while !self.is_flushed() {
            self.flush().await;
        }
    }
}
