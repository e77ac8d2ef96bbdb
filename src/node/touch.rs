//! Writes the uses of sessions to the store, beside the requests and for as long as it takes.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;

use super::Node;
use super::turns::Turns;
use crate::session::{Session, Touch};
use crate::store::{SessionStore, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// Pause before a touch is tried again, unless a flush waits for it.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl<S: SessionStore> Node<S> {
    /// Has a use written, as often as it takes. Rare, and not on the way of a hit.
    #[cold]
    pub(super) fn touch_later(self: &Arc<Self>, session: &Session, touch: Touch) {
        self.touches.add(session, touch);
        self.write_uses();
    }

    /// Has the uses written that nobody writes, if there is a runtime.
    pub(super) fn write_uses(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        for id in self.touches.take_without_writer() {
            let node = Arc::downgrade(self);
            let writer = Writer(Some((node, id)));
            runtime.spawn(write_uses(writer, self.touches.turns.clone()));
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

/// Whoever writes the uses of a session. Dropped before all are written, as with the end of its
/// runtime, also before it was ever polled, it leaves them to another one.
struct Writer<S: SessionStore>(Option<(Weak<Node<S>>, SessionId)>);

impl<S: SessionStore> Writer<S> {
    /// The node, if it lives.
    fn node(&self) -> Option<(Arc<Node<S>>, SessionId)> {
        let (node, id) = self.0.as_ref()?;
        Some((node.upgrade()?, *id))
    }

    fn has_written_all(&mut self) {
        self.0 = None;
    }
}

impl<S: SessionStore> Drop for Writer<S> {
    fn drop(&mut self) {
        if let Some((node, id)) = self.node() {
            node.touches.abandon(id);
        }
    }
}

/// Writes the uses of a session, and later ones that are due by then.
async fn write_uses<S: SessionStore>(mut writer: Writer<S>, turns: Turns) {
    loop {
        let turn = turns.next().await;
        // Held for a turn only: what waits for the store does not keep the node.
        let Some((node, id)) = writer.node() else {
            return;
        };
        let Some((touch, under_way)) = node.touches.begin(id) else {
            return;
        };
        node.cache.is_in_use(id);
        let flushes = node.touches.flushes();
        let written = node.touch(touch).await;
        if written.as_ref().is_err_and(StoreError::is_unavailable) {
            drop((node, turn, under_way));
            flushes.pause(AGAIN_AFTER).await;
        } else if !(node.touches).written(&touch, under_way, written.ok().flatten()) {
            return writer.has_written_all();
        }
    }
}
