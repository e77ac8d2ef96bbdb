use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tower_wx_session::store::{
    Feed, FeedSender, Insert, Inserted, Loaded, PutSessionKey, Record, Revoke, Rotate, Rotated,
    SessionStore, StoreError, StoreErrorKind, TagKey, Timestamp, Touch,
};
use tower_wx_session::{Identity, SessionId};

use crate::user::identity;

/// A store that takes sessions and keeps none: they live in the cache of the node that issued
/// them, so that all memory and all time is the cache's.
#[derive(Debug, Default)]
pub(crate) struct Forgetful {
    feeds: Mutex<Vec<FeedSender>>,
    answers: bool,
}

/// The same for all nodes, so that each takes the tokens of every other.
const TAG_KEY: TagKey = TagKey::new(1, [7; 16]);

const HOUR: Duration = Duration::from_secs(60 * 60);

impl Forgetful {
    /// One that makes up a record for each session that it is asked for, with names of its own, as
    /// they are read from a database.
    pub(crate) fn answering() -> Self {
        Self {
            answers: true,
            ..Self::default()
        }
    }
}

const FORGOTTEN: StoreError = StoreError::new(StoreErrorKind::Unavailable);

impl SessionStore for Forgetful {
    async fn insert(&self, _: Insert) -> Result<Inserted, StoreError> {
        Ok(Inserted::Kept(Vec::new()))
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        if !self.answers {
            return Ok(Loaded::NeverSeen);
        }
        // The first two bytes are the user's bucket, the others a digest.
        let number = id.as_bytes()[2..].iter().fold(0, |sum: usize, byte| {
            sum.wrapping_mul(256).wrapping_add(usize::from(*byte))
        });
        let (lifetime, idle_timeout) = (30 * 24 * HOUR, 2 * HOUR);
        let record = Record::issued(identity(number), now(), lifetime, idle_timeout, None);
        Ok(Loaded::Live(record))
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

    async fn tag_keys(&self, _: TagKey) -> Result<Vec<TagKey>, StoreError> {
        Ok(vec![TAG_KEY])
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(now())
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        let (sender, feed) = Feed::channel(1);
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        feeds.push(sender);
        Ok(feed.without_heartbeat())
    }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since_epoch.unwrap_or_default().as_millis();
    Timestamp::from_millis(millis as u64)
}
