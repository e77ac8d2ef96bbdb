//! A store that keeps nothing, so that what a process holds of sessions is the cache's alone.

use tower_wx_session::store::{
    Feed, Insert, Inserted, Loaded, MemoryStore, PutSessionKey, Record, Revoke, Rotate, Rotated,
    SessionStore, StoreError, TagKey, Timestamp, Touch,
};
use tower_wx_session::{Identity, SessionId};

use super::store::as_inner;

/// Says of everything that it was done, and keeps the tag keys only.
#[derive(Clone, Default)]
pub struct ForgetfulStore {
    inner: MemoryStore,
}

impl SessionStore for ForgetfulStore {
    async fn insert(&self, _: Insert) -> Result<Inserted, StoreError> {
        Ok(Inserted::Kept(Vec::new()))
    }

    async fn load(&self, _: SessionId) -> Result<Loaded, StoreError> {
        Ok(Loaded::NeverSeen)
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        // The slack is a tenth of the idle timeout.
        Ok(Some(touch.used_at.after(11 * touch.slack)))
    }

    as_inner! {
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
