//! Waits until the store has what this node has noted: uses, and revocations that wait.

use std::sync::Arc;

use super::Node;
use crate::store::SessionStore;

impl<S: SessionStore> Node<S> {
    /// Whether there is nothing to write.
    pub(crate) fn is_flushed(&self) -> bool {
        self.touches.are_written() && self.revocations.are_written()
    }

    /// Writes what was noted before the call. What comes later does not prolong it, and is not held
    /// up by it.
    pub(crate) async fn flush(self: &Arc<Self>) {
        // Both begin here, not one after the other.
        let flushes = (self.touches.flush(), self.revocations.flush());
        self.start();
        tokio::join!(flushes.0, flushes.1);
    }

    /// Writes all there is, also what comes meanwhile.
    pub(crate) async fn flush_all(self: &Arc<Self>) {
        while !self.is_flushed() {
            self.flush().await;
        }
    }
}
