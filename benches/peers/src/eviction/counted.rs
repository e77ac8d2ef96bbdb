use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tower_wx_session::store::{
    Feed, Insert, Inserted, Loaded, MemoryStore, PutSessionKey, Record, Revoke, Rotate, Rotated,
    SessionStore, StoreError, TagKey, Timestamp, Touch,
};
use tower_wx_session::{Identity, SessionId};

/// A memory store that counts loads.
#[derive(Clone)]
pub(super) struct CountedStore {
    inner: MemoryStore,
    loads: Arc<AtomicUsize>,
}

impl CountedStore {
    pub(super) fn new(inner: MemoryStore) -> Self {
        let loads = Arc::default();
        Self { inner, loads }
    }

    /// Loads since the last time that this was asked.
    pub(super) fn take_loads(&self) -> usize {
        self.loads.swap(0, Ordering::Relaxed)
    }
}

/// Writes operations that are those of the field `inner`.
macro_rules! as_inner {
    ($($operation:ident($($argument:ident: $type:ty)?) -> $answer:ty;)*) => {
        $(async fn $operation(&self $(, $argument: $type)?) -> Result<$answer, StoreError> {
            self.inner.$operation($($argument)?).await
        })*
    };
}

impl SessionStore for CountedStore {
    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.inner.load(id).await
    }

    as_inner! {
        insert(insert: Insert) -> Inserted;
        touch(touch: Touch) -> Option<Timestamp>;
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
