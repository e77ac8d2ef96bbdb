//! Writes the uses of sessions to the store, beside the requests and for as long as it takes.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::Node;
use crate::session::{Session, Touch};
use crate::store::{SessionStore, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// Pause before a touch is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl<S: SessionStore> Node<S> {
    /// Has a use written, as often as it takes.
    pub(super) fn touch_later(self: &Arc<Self>, session: &Session, touch: Touch) {
        let (Ok(runtime), Some(permit)) = (Handle::try_current(), self.touches.enter()) else {
            return session.usage().abandon();
        };
        if self.touches.add(session, touch) {
            runtime.spawn(write_uses(Arc::downgrade(self), session.id(), permit));
        }
    }

    /// Writes uses; the idle deadline that the store has then, or `None` if it has refused.
    pub(super) async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        let bucket = touch.id.bucket();
        let written = (self.upstream)
            .write(bucket, |store| store.touch(touch))
            .await;
        let used_until = touch.used_at.after(self.config.idle_timeout);
        // With any other deadline another node's touch was enough, and nothing was written.
        if matches!(written, Ok(Some(deadline)) if deadline == used_until.after(touch.slack)) {
            self.upstream.note_overwritten(bucket);
        }
        written
    }
}

/// Writes the uses of a session, and later ones that are due by then.
async fn write_uses<S: SessionStore>(
    node: Weak<Node<S>>,
    id: SessionId,
    _permit: OwnedSemaphorePermit,
) {
    let Some(turns) = node.upgrade().map(|node| node.touches.turns.clone()) else {
        return;
    };
    let unless_written = Abandon(&node, id);
    loop {
        let turn = turns.next().await;
        // Held for a turn only: what waits for the store does not keep the node.
        let Some(node) = node.upgrade() else {
            return;
        };
        let Some(touch) = node.touches.latest(id) else {
            return;
        };
        node.cache.is_in_use(id);
        let written = node.touch(touch).await;
        if written.as_ref().is_err_and(StoreError::is_unavailable) {
            drop(node);
            drop(turn);
            sleep(AGAIN_AFTER).await;
        } else if !node.touches.written(&touch, written.ok().flatten()) {
            return mem::forget(unless_written);
        }
    }
}

/// Has the next use write, also when the runtime ends under the task.
struct Abandon<'a, S>(&'a Weak<Node<S>>, SessionId);

impl<S> Drop for Abandon<'_, S> {
    fn drop(&mut self) {
        if let Some(node) = self.0.upgrade() {
            node.touches.abandon(self.1);
        }
    }
}
