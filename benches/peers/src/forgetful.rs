use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tower_wx_session::store::{
    Feed, FeedSender, Insert, Inserted, Loaded, PutSessionKey, Record, Revoke, Rotate, Rotated,
    SessionStore, StoreError, StoreErrorKind, TagKey, Timestamp, Touch,
};
use tower_wx_session::{Identity, SessionId};

/// A store that takes sessions and keeps none: they live in the cache of the node that issued
/// them, so that all memory and all time is the cache's.
#[derive(Debug, Default)]
pub(crate) struct Forgetful {
    feeds: Mutex<Vec<FeedSender>>,
}

const FORGOTTEN: StoreError = StoreError::new(StoreErrorKind::Unavailable);

impl SessionStore for Forgetful {
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

    async fn rotate(&self, _: Rotate) -> Result<Rotated, StoreError> {
        Err(FORGOTTEN)
    }

    async fn revoke(&self, _: Revoke) -> Result<Vec<SessionId>, StoreError> {
        Err(FORGOTTEN)
    }

    async fn list(&self, _: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        Err(FORGOTTEN)
    }

    async fn put_session_key(&self, _: PutSessionKey) -> Result<(), StoreError> {
        Ok(())
    }

    async fn session_keys(&self, _: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        Err(FORGOTTEN)
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        Ok(vec![offer])
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since_epoch.unwrap_or_default().as_millis();
        Ok(Timestamp::from_millis(millis as u64))
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        let (sender, feed) = Feed::channel(1);
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.push(sender);
        Ok(feed.without_heartbeat())
    }
}
