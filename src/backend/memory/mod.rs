use std::fmt;
use std::sync::Arc;

use crate::backend::feeds::Feeds;
use crate::identity::Identity;
use crate::session::{Record, Touch};
use crate::store::{
    Feed, Insert, Inserted, Loaded, PutSessionKey, Revoke, Rotate, Rotated, SessionStore,
    StoreError,
};
use crate::sync::Lock;
use crate::time::{Clock, Timestamp};
use crate::token::{SessionId, TagKey};

mod agenda;
mod collect;
mod shard;
mod user;

use self::shard::{SHARDS, Shard};

/// Keeps sessions in this process's memory. They end with the process.
///
/// It never drops a live session. Expired sessions are collected a few at a time by the
/// operations that follow, without a pause. For 100 000 revoked sessions it remembers why they
/// ended until their absolute end, oldest out; for expired ones, for one more idle timeout. The
/// record itself stays for at least 6 hours: see [`Record::kept_until`].
///
/// Clones are handles to the same sessions.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
    shards: [Lock<Shard>; SHARDS],
    clock: Clock,
    tag_keys: Lock<Vec<TagKey>>,
    feeds: Feeds,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::on_clock(Clock::monotonic())
    }

    /// An empty store on a clock that a test moves.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn with_clock(clock: crate::time::ManualClock) -> Self {
        Self::on_clock(clock.into())
    }

    /// Records held: live sessions, ended ones that are remembered or not collected yet, and the
    /// marks of launch data that was used.
    #[must_use]
    pub fn records(&self) -> usize {
        let shards = self.0.shards.iter();
        shards.map(|shard| shard.lock().records()).sum()
    }

    fn on_clock(clock: Clock) -> Self {
        Self(Arc::new(Inner {
            shards: std::array::from_fn(|_| Lock::default()),
            clock,
            tag_keys: Lock::default(),
            feeds: Feeds::default(),
        }))
    }

    /// Runs one operation on the shard of a bucket, and collects a little of what has expired.
    fn with_shard<T>(
        &self,
        bucket: [u8; 2],
        operate: impl FnOnce(&mut Shard, Timestamp) -> T,
    ) -> T {
        let index = usize::from(u16::from_be_bytes(bucket)) % SHARDS;
        let mut shard = self.0.shards[index].lock();
        // Read with the lock held: the operations on a shard happen in the order of their times.
        let now = self.0.clock.now();
        let answer = operate(&mut shard, now);
        shard.collect(now);
        answer
    }
}

impl SessionStore for MemoryStore {
    async fn insert(&self, insert: Insert) -> Result<Inserted, StoreError> {
        let bucket = insert.id.bucket();
        let (inserted, changed) = self.with_shard(bucket, |shard, now| shard.insert(insert, now));
        // After the change, here and below: a node that drops a session may load it again at once.
        self.0.feeds.announce(changed);
        Ok(inserted)
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        Ok(self.with_shard(id.bucket(), |shard, now| shard.load(id, now)))
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.with_shard(touch.id.bucket(), |shard, now| shard.touch(&touch, now)))
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        let bucket = rotate.old.bucket();
        let (rotated, changed) = self.with_shard(bucket, |shard, now| shard.rotate(rotate, now));
        self.0.feeds.announce(changed);
        Ok(rotated)
    }

    async fn revoke(&self, revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        let bucket = revoke.target.bucket();
        let (revoked, changed) = self.with_shard(bucket, |shard, now| shard.revoke(&revoke, now));
        self.0.feeds.announce(changed);
        Ok(revoked)
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        Ok(self.with_shard(user.bucket(), |shard, now| shard.list(&user, now)))
    }

    async fn put_session_key(&self, put: PutSessionKey) -> Result<(), StoreError> {
        self.with_shard(put.user.bucket(), |shard, now| {
            shard.put_session_key(put, now);
        });
        Ok(())
    }

    async fn session_keys(&self, user: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(self.with_shard(user.bucket(), |shard, now| shard.session_keys(&user, now)))
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        let mut keys = self.0.tag_keys.lock();
        if offer.is_newer_than_all(&keys) {
            keys.push(offer);
        }
        Ok(keys.clone())
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.0.clock.now())
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        Ok(self.0.feeds.subscribe())
    }

    fn is_shared(&self) -> bool {
        false
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}
