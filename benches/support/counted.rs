//! A store that counts what it is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tower_wx_session::store::{
    Feed, Insert, Inserted, Loaded, MemoryStore, PutSessionKey, Record, Revoke, Rotate, Rotated,
    SessionStore, StoreError, TagKey, Timestamp, Touch,
};
use tower_wx_session::{Identity, SessionId};

use super::store::as_inner;

/// What a store was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    pub loads: usize,
    pub touches: usize,
    /// Touches that changed something.
    pub writes: usize,
}

/// A memory store that counts loads and touches.
#[derive(Clone)]
pub struct CountedStore {
    inner: MemoryStore,
    loads: Arc<AtomicUsize>,
    touches: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
}

impl CountedStore {
    pub fn new(inner: MemoryStore) -> Self {
        Self {
            inner,
            loads: Arc::default(),
            touches: Arc::default(),
            writes: Arc::default(),
        }
    }

    /// What came since the last time that this was asked.
    pub fn take_counts(&self) -> Counts {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::Relaxed);
        Counts {
            loads: take(&self.loads),
            touches: take(&self.touches),
            writes: take(&self.writes),
        }
    }
}

impl SessionStore for CountedStore {
    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.inner.load(id).await
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        self.touches.fetch_add(1, Ordering::Relaxed);
        let deadline = self.inner.touch(touch).await?;
        // The slack is a tenth of the idle timeout. Of a use that is covered, it is an earlier one.
        let is_written = deadline == Some(touch.used_at.after(11 * touch.slack));
        self.writes
            .fetch_add(usize::from(is_written), Ordering::Relaxed);
        Ok(deadline)
    }

    as_inner! {
        insert(insert: Insert) -> Inserted;
        rotate(rotate: Rotate) -> Rotated;
        revoke(revoke: Revoke) -> Vec<SessionId>;
        list(user: Identity) -> Vec<(SessionId, Record)>;
        put_session_key(put: PutSessionKey) -> ();
        session_keys(user: Identity) -> Vec<Vec<u8>>;
        tag_keys(offer: TagKey) -> Vec<TagKey>;
        now() -> Timestamp;
        subscribe() -> Feed;
    }
}
