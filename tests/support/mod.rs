//! What several tests share.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
pub mod authority;
#[cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
pub mod case;
pub mod chromium;
#[cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
pub mod connect_golden;
#[cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
pub mod desk;
pub mod errors;
pub mod eventually;
pub mod feed;
pub mod forged;
pub mod free_port;
#[cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
pub mod golden;
#[cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
pub mod grpc;
#[cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
pub mod grpc_golden;
#[cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
pub mod http;
#[cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
pub mod languages;
pub mod log;
#[cfg(feature = "mysql")]
pub mod mariadb;
pub mod nginx;
pub mod nodes;
pub mod openssl;
#[cfg(feature = "postgres")]
pub mod pgbouncer;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod process;
#[cfg(feature = "metrics")]
pub mod prometheus;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "redis")]
pub mod resp2;
#[cfg(feature = "redis")]
pub mod script_check;
pub mod signed;
#[cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
pub mod world;
#[cfg(target_os = "linux")]
pub mod wrong_clock;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tower_wx_session::store::{
    Feed, FeedEvent, FeedSender, Insert, Inserted, Loaded, MemoryStore, PutSessionKey, Record,
    Revoke, Rotate, Rotated, SessionStore, StoreError, StoreErrorKind, TagKey, Target, Timestamp,
    Touch,
};
use tower_wx_session::{Identity, SessionId};

/// An operation of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Insert,
    Load,
    Touch,
    Rotate,
    Revoke,
    List,
    PutSessionKey,
    SessionKeys,
    TagKeys,
    Now,
    Subscribe,
}

impl Op {
    pub const ALL: [Self; 11] = [
        Self::Insert,
        Self::Load,
        Self::Touch,
        Self::Rotate,
        Self::Revoke,
        Self::List,
        Self::PutSessionKey,
        Self::SessionKeys,
        Self::TagKeys,
        Self::Now,
        Self::Subscribe,
    ];
}

/// A link with heartbeats in the test's hands, one at a time.
#[derive(Clone, Default)]
pub struct Links(Arc<Mutex<Option<FeedSender>>>);

impl Links {
    fn open(&self) -> Feed {
        let (sender, feed) = Feed::channel(1024);
        *self.0.lock().unwrap() = Some(sender);
        feed
    }

    /// Tells something, if the link is up.
    pub fn tell(&self, event: FeedEvent) {
        if let Some(sender) = &*self.0.lock().unwrap() {
            assert!(sender.send(event), "the node has taken in what came before");
        }
    }

    pub fn cut(&self) {
        self.0.lock().unwrap().take();
    }

    pub fn is_up(&self) -> bool {
        self.0.lock().unwrap().is_some()
    }
}

type Step = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;
type Hook = Arc<dyn Fn(Op) -> Step + Send + Sync>;

/// A memory store with a hook before and after each operation, to delay it or have it fail.
#[derive(Clone)]
pub struct HookedStore {
    pub inner: MemoryStore,
    before: Hook,
    after: Hook,
    calls: Arc<[AtomicUsize; Op::ALL.len()]>,
    is_shared: bool,
    has_dead_links: bool,
    links: Option<Links>,
    keys: Arc<Mutex<Option<MemoryStore>>>,
    unrevokable: Option<Identity>,
}

impl HookedStore {
    pub fn new(inner: MemoryStore) -> Self {
        let nothing: Hook = Arc::new(|_| Box::pin(async { Ok(()) }));
        Self {
            inner,
            before: Arc::clone(&nothing),
            after: nothing,
            calls: Arc::default(),
            is_shared: false,
            has_dead_links: false,
            links: None,
            keys: Arc::default(),
            unrevokable: None,
        }
    }

    /// Runs before an operation has any effect.
    pub fn before<F, A>(self, hook: F) -> Self
    where
        F: Fn(Op) -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let before: Hook = Arc::new(move |op| Box::pin(hook(op)));
        Self { before, ..self }
    }

    /// Runs when an operation has had its effect and its answer is on the way.
    pub fn after<F, A>(self, hook: F) -> Self
    where
        F: Fn(Op) -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let after: Hook = Arc::new(move |op| Box::pin(hook(op)));
        Self { after, ..self }
    }

    /// Claims that other processes can read what is in here.
    pub fn shared(self) -> Self {
        Self {
            is_shared: true,
            ..self
        }
    }

    /// Has every link end as soon as it is there.
    pub fn with_dead_links(self) -> Self {
        Self {
            has_dead_links: true,
            ..self
        }
    }

    /// Has the test say what links tell.
    pub fn with_links(self, links: &Links) -> Self {
        Self {
            links: Some(links.clone()),
            ..self
        }
    }

    /// Fails for good whenever this user is to be revoked.
    pub fn unable_to_revoke(self, user: Identity) -> Self {
        Self {
            unrevokable: Some(user),
            ..self
        }
    }

    /// Keeps the tag keys somewhere else, where they can be lost.
    pub fn with_keys_of(self, keys: MemoryStore) -> Self {
        Self {
            keys: Arc::new(Mutex::new(Some(keys))),
            ..self
        }
    }

    /// Loses the tag keys, and nothing else.
    pub fn lose_keys(&self) {
        *self.keys.lock().unwrap() = Some(MemoryStore::new());
    }

    /// How often an operation was asked for.
    pub fn calls(&self, op: Op) -> usize {
        self.calls[op as usize].load(Ordering::SeqCst)
    }

    async fn step<T>(
        &self,
        op: Op,
        operate: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.calls[op as usize].fetch_add(1, Ordering::SeqCst);
        (self.before)(op).await?;
        let answer = operate.await;
        (self.after)(op).await?;
        answer
    }
}

/// A store that is down whenever the switch is on.
pub fn switchable(store: HookedStore) -> (HookedStore, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&switch);
    let store = store.before(move |_| {
        let is_down = is_down.load(Ordering::SeqCst);
        async move { if is_down { Err(down()) } else { Ok(()) } }
    });
    (store, switch)
}

/// The failure of a store that is down.
pub fn down() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable).caused_by("the test has it down")
}

impl SessionStore for HookedStore {
    async fn insert(&self, insert: Insert) -> Result<Inserted, StoreError> {
        self.step(Op::Insert, self.inner.insert(insert)).await
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        self.step(Op::Load, self.inner.load(id)).await
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        self.step(Op::Touch, self.inner.touch(touch)).await
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        self.step(Op::Rotate, self.inner.rotate(rotate)).await
    }

    async fn revoke(&self, revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        let target = self.unrevokable.clone().map(Target::User);
        let operate = async {
            if target.as_ref() == Some(&revoke.target) {
                return Err(StoreError::new(StoreErrorKind::Corrupt));
            }
            self.inner.revoke(revoke).await
        };
        self.step(Op::Revoke, operate).await
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        self.step(Op::List, self.inner.list(user)).await
    }

    async fn put_session_key(&self, put: PutSessionKey) -> Result<(), StoreError> {
        self.step(Op::PutSessionKey, self.inner.put_session_key(put))
            .await
    }

    async fn session_keys(&self, user: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        self.step(Op::SessionKeys, self.inner.session_keys(user))
            .await
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        let elsewhere = self.keys.lock().unwrap().clone();
        let keys = elsewhere.as_ref().unwrap_or(&self.inner);
        self.step(Op::TagKeys, keys.tag_keys(offer)).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.step(Op::Now, self.inner.now()).await
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        let feed = self.step(Op::Subscribe, self.inner.subscribe()).await?;
        let dead = Feed::channel(1).1;
        Ok(match &self.links {
            Some(links) => links.open(),
            None if self.has_dead_links => dead,
            None => feed,
        })
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }
}
