use tower_wx_session::store::{
    Feed, Insert, Inserted, Loaded, MemoryStore, PutSessionKey, Record, Revoke, Rotate, Rotated,
    SessionStore, StoreError, TagKey, Timestamp, Touch,
};
use tower_wx_session::{Identity, SessionId};

/// A store that has every session end at the same instant.
#[derive(Debug)]
pub(super) struct Aligned {
    store: MemoryStore,
    end: Timestamp,
}

impl Aligned {
    pub(super) const fn new(store: MemoryStore, end: Timestamp) -> Self {
        Self { store, end }
    }
}

impl SessionStore for Aligned {
    async fn insert(&self, mut insert: Insert) -> Result<Inserted, StoreError> {
        insert.record.absolute_end = self.end;
        self.store.insert(insert).await
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        self.store.load(id).await
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        self.store.touch(touch).await
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        self.store.rotate(rotate).await
    }

    async fn revoke(&self, revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        self.store.revoke(revoke).await
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        self.store.list(user).await
    }

    async fn put_session_key(&self, put: PutSessionKey) -> Result<(), StoreError> {
        self.store.put_session_key(put).await
    }

    async fn session_keys(&self, user: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        self.store.session_keys(user).await
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        self.store.tag_keys(offer).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.store.now().await
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        self.store.subscribe().await
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }
}
