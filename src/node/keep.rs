//! Keeps the node while revocations wait for the store, also without a handle, for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Node;
use crate::store::SessionStore;

/// For how long revocations that wait for the store outlive the last handle.
const OUTLIVE_HANDLES: Duration = Duration::from_secs(60);
/// How often that is looked after.
const LOOK_AFTER: Duration = Duration::from_secs(1);

impl<S: SessionStore> Node<S> {
    /// Keeps the node while revocations wait for the store, also without a handle, for a while.
    pub(super) fn keep(self: &Arc<Self>) {
        let node = Arc::clone(self);
        self.tasks.keeper.start(|| keep(node));
    }

    /// Whether the last handle is gone.
    fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.handles) == 1
    }
}

async fn keep<S: SessionStore>(node: Arc<Node<S>>) {
    let pending = &node.revocations;
    let mut abandoned = None;
    while pending.waiting() > 0 {
        if abandoned.is_none() && node.is_abandoned() {
            // Nobody can make another handle from now on.
            abandoned = Some(Instant::now());
        }
        if abandoned.is_some_and(|since: Instant| since.elapsed() >= OUTLIVE_HANDLES) {
            pending.give_up();
            return;
        }
        sleep(LOOK_AFTER).await;
    }
}
