//! Where sessions are kept.
//!
//! [`MemoryStore`] serves one process and is the default of the examples; a restart logs everybody
//! out. `FileStore` (feature `file`) keeps the sessions of one process on disk. A fleet needs a store
//! that all nodes share: `PostgresStore` (`postgres`), `MySqlStore` (`mysql`), `RedisStore` (`redis`), or
//! any other type that implements [`SessionStore`]. [`AnyStore`] chooses one at run time, and
//! [the guide](crate::guide::which_store) says what each survives and costs.
//!
//! Whoever shares a store shares the sessions in it, and takes each other's tokens. Two projects on
//! one store name their apps: see [`SessionsBuilder::appids`](crate::sessions::SessionsBuilder::appids).
//!
//! A store keeps records by [`SessionId`], which is derived from a token's digest; it never sees
//! a token. It decides nothing that a node could decide from a record, but whatever two nodes
//! could race for is one atomic operation here: the cap on sessions per user, rotation,
//! revocation, and that a touch never revives what was revoked.
//!
//! Every implementation has to pass the suite in `test_util::conformance` (feature `test-util`).
//!
//! ```
//! use tower_wx_session::{Sessions, store::{AnyStore, MemoryStore}};
//!
//! let store = AnyStore::new(MemoryStore::new());
//! let sessions: Sessions<AnyStore> = Sessions::new(store);
//! ```

use std::future::Future;

/// Has a macro write something for each operation of [`SessionStore`].
macro_rules! for_each_operation {
    ($write:ident) => {
        $write! {
            insert(insert: Insert) -> Inserted;
            load(id: SessionId) -> Loaded;
            touch(touch: Touch) -> Option<Timestamp>;
            rotate(rotate: Rotate) -> Rotated;
            revoke(revoke: Revoke) -> Vec<SessionId>;
            list(user: Identity) -> Vec<(SessionId, Record)>;
            put_session_key(put: PutSessionKey) -> ();
            session_keys(user: Identity) -> Vec<Vec<u8>>;
            tag_keys(offer: TagKey) -> Vec<TagKey>;
            now() -> Timestamp;
            writable(bucket: [u8; 2]) -> ();
            reach(bucket: [u8; 2]) -> ();
            subscribe() -> Feed;
        }
    };
}

#[cfg(test)]
pub(crate) use for_each_operation;

mod any;
mod error;
mod feed;
mod measured;
mod operation;
mod session_key;

pub use self::any::AnyStore;
pub use self::error::{StoreError, StoreErrorKind};
pub use self::feed::{Feed, FeedEvent, FeedSender};
pub(crate) use self::measured::Measured;
pub use self::operation::{
    Insert, Inserted, Loaded, Retire, Revoke, RevokeReason, Rotate, Rotated, Target,
};
pub use self::session_key::PutSessionKey;
pub(crate) use self::session_key::SESSION_KEYS;
#[cfg(feature = "file")]
pub use crate::backend::file::{FileError, FileErrorKind, FileStore};
pub use crate::backend::memory::MemoryStore;
#[cfg(feature = "mysql")]
pub use crate::backend::mysql::{MySqlConfigError, MySqlStore, MySqlStoreBuilder};
#[cfg(feature = "postgres")]
pub use crate::backend::postgres::{PostgresConfigError, PostgresStore, PostgresStoreBuilder};
#[cfg(feature = "redis")]
pub use crate::backend::redis::{RedisConfigError, RedisStore, RedisStoreBuilder};
use crate::identity::Identity;
pub use crate::session::{EndReason, Record, Touch};
pub use crate::time::Timestamp;
use crate::token::SessionId;
pub use crate::token::TagKey;

/// Keeps sessions; the only source of truth about them.
///
/// Each method is one atomic operation on the sessions of one user. A store compares with its own
/// clock, which is the fleet's clock. It sets no deadline: callers do, and may drop a future at
/// any point, after which the operation has happened or not.
///
/// A damaged record is the matter of its own session: [`load`](Self::load) of it fails with
/// [`Corrupt`](StoreErrorKind::Corrupt), [`revoke`](Self::revoke) overwrites it, and whatever
/// concerns all sessions of a user passes over it.
///
/// # Errors
///
/// Every method fails with a [`StoreError`] when the store is unavailable, and never makes up an
/// answer: "never seen" is a fact that logs a user out.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot keep sessions",
    note = "implement `SessionStore`, or use `tower_wx_session::store::MemoryStore`",
    note = "for a store that is chosen at run time there is `tower_wx_session::store::AnyStore`"
)]
pub trait SessionStore: Send + Sync + 'static {
    /// Keeps a new session unless its id is taken, retires the one it takes over from, and ends
    /// the user's oldest sessions that are over the cap.
    // The compiler shows the next line to whoever writes `Box<dyn SessionStore>`.
    fn insert(&self, insert: Insert) -> impl Future<Output = Result<Inserted, StoreError>> + Send; // for `dyn`: `AnyStore`

    /// What is known of a session.
    fn load(&self, id: SessionId) -> impl Future<Output = Result<Loaded, StoreError>> + Send;

    /// Takes in uses, by [`Record::touch`]: the idle deadline that is recorded then, or `None` if
    /// the session had ended or is not known. A store that would accept them and cannot write says
    /// so by [`StoreError::unwritten`].
    ///
    /// It never creates or revives a session, and it is not announced to nodes.
    fn touch(
        &self,
        touch: Touch,
    ) -> impl Future<Output = Result<Option<Timestamp>, StoreError>> + Send;

    /// Puts a new session in the place of a live one, which keeps a grace.
    ///
    /// The answer may be lost on its way. So a session in its grace can be rotated again for as
    /// long as nobody has used what took its place: that one ends as replaced, and the grace stays
    /// as it is.
    fn rotate(&self, rotate: Rotate) -> impl Future<Output = Result<Rotated, StoreError>> + Send;

    /// Ends sessions; where one session is the target, its successors too.
    ///
    /// The record is overwritten with the reason until its absolute end. Doing it again changes
    /// nothing. Returns the sessions that this call ended.
    ///
    /// Each of them is announced to the nodes, and of a session that is the target and not known here: the
    /// store may have lost it, and they may hold it still.
    fn revoke(
        &self,
        revoke: Revoke,
    ) -> impl Future<Output = Result<Vec<SessionId>, StoreError>> + Send;

    /// The user's live sessions, oldest first, without those in their grace.
    fn list(
        &self,
        user: Identity,
    ) -> impl Future<Output = Result<Vec<(SessionId, Record)>, StoreError>> + Send;

    /// Keeps the newest session_key of a user, and the four before it for a while.
    ///
    /// The newest is the one whose login began last, whichever is put last; of two that began at
    /// the same time, the one that is put last. Each key is kept once. Putting the newest one again
    /// prolongs it and leaves the others alone.
    fn put_session_key(
        &self,
        put: PutSessionKey,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The session_keys of a user that are still kept, newest first.
    fn session_keys(
        &self,
        user: Identity,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, StoreError>> + Send;

    /// All keys for the tags of tokens, after adding `offer` unless one at least as new is there.
    ///
    /// "As new" compares the instants from which keys are usable. The keys are the only thing in
    /// a store that never expires. Each node reads them every 5 s: should they be lost all the
    /// same, it offers those it knows again, each as newer than what the store has by then.
    ///
    /// Tokens whose key is nowhere cost a load a second and node, until one of them turns out to
    /// stand for a live session. A store whose parts fail apart should answer with what any of
    /// them has.
    fn tag_keys(
        &self,
        offer: TagKey,
    ) -> impl Future<Output = Result<Vec<TagKey>, StoreError>> + Send;

    /// The store's time, which is the fleet's.
    fn now(&self) -> impl Future<Output = Result<Timestamp, StoreError>> + Send;

    /// Fails if whatever keeps this bucket, the first two bytes of a session's id, cannot be written
    /// at the moment, where reads may still be answered: no login is begun then, and nobody is found
    /// idle.
    ///
    /// A write that leaves nothing behind; a server that answers and refuses it is
    /// [`StoreError::unwritten`]. As provided it reads only the time.
    fn writable(&self, bucket: [u8; 2]) -> impl Future<Output = Result<(), StoreError>> + Send {
        let _ = bucket;
        async { self.now().await.map(drop) }
    }

    /// Fails unless whatever keeps this bucket can be read. A node tries a part of the store that was down by this.
    ///
    /// As provided it reads the store's time: enough for a store that fails as a whole.
    fn reach(&self, bucket: [u8; 2]) -> impl Future<Output = Result<(), StoreError>> + Send {
        let _ = bucket;
        async { self.now().await.map(drop) }
    }

    /// A new link that carries what changes from now on.
    fn subscribe(&self) -> impl Future<Output = Result<Feed, StoreError>> + Send;

    /// The part of the store that keeps this bucket, where parts fail one by one: a name that
    /// stays the same while the same server, or whichever takes its place, has the bucket.
    ///
    /// A node notes failures by part, so that one that is down takes no other along. By default
    /// the store is one part, 0, which is also that of reads of no bucket: the time, the
    /// keys of the tags, links. Called with every read and write, so it must be quick and not block.
    fn part(&self, bucket: [u8; 2]) -> u64 {
        let _ = bucket;
        0
    }

    /// Whether other processes can read what is in here; session_keys are then kept sealed only.
    fn is_shared(&self) -> bool {
        true
    }
}
