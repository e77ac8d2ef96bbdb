use std::future::Future;

use tokio::sync::watch;

use super::{Chaos, injected};
use crate::identity::Identity;
use crate::session::{EndReason, Record, Touch};
use crate::store::{
    Feed, FeedSender, Insert, Inserted, Loaded, PutSessionKey, Revoke, Rotate, Rotated,
    SessionStore, StoreError,
};
use crate::time::Timestamp;
use crate::token::{SessionId, TagKey};

/// Events that a link may be behind.
const LINK_CAPACITY: usize = 1024;

/// A store that fails on command, to see what an application does then.
///
/// ```
/// use tower_wx_session::test_util::{Chaos, ChaosStore};
/// use tower_wx_session::{Identity, RejectionKind, Sessions, store::MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_wx_session::Rejection> {
/// let chaos = Chaos::seeded(42);
/// let sessions = Sessions::new(ChaosStore::new(MemoryStore::new(), chaos.clone()));
/// let known = sessions.issue(Identity::new("appid", "openid")).await?;
///
/// chaos.fail(100);
/// // An outage logs nobody out, and lets nobody in.
/// assert!(sessions.check(known.token().expose()).await.is_ok());
/// let refused = sessions.issue(Identity::new("appid", "other")).await.unwrap_err();
/// assert_eq!(refused.kind(), RejectionKind::StoreUnavailable);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ChaosStore<S> {
    inner: S,
    chaos: Chaos,
}

impl<S: SessionStore> ChaosStore<S> {
    /// Puts `chaos` in front of a store.
    pub fn new(inner: S, chaos: Chaos) -> Self {
        Self { inner, chaos }
    }

    /// Runs a write, or answers as if it had been done.
    async fn write<T>(
        &self,
        pretended: Result<T, StoreError>,
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.chaos.refuses_writes() {
            return self.chaos.disturb(async { Err(refused()) }).await;
        }
        match self.chaos.loses_writes() {
            true => self.chaos.disturb(async { pretended }).await,
            false => self.chaos.disturb(write).await,
        }
    }

    /// The idle deadline that a touch would have left.
    async fn pretend_to_touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        let now = self.inner.now().await?;
        Ok(match self.inner.load(touch.id).await? {
            Loaded::Live(mut record) => record.touch(&touch, now),
            Loaded::Ended { .. } | Loaded::NeverSeen => None,
        })
    }

    /// What a store that cannot write answers to a touch. Of a session whose end the inner store no
    /// longer has, it knows nothing.
    async fn refuse_to_touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        match self.inner.load(touch.id).await? {
            Loaded::Live(_) => Err(StoreError::unwritten()),
            Loaded::Ended { reason, at } if reason == EndReason::Idle && touch.since <= at => {
                Err(StoreError::unwritten())
            }
            Loaded::Ended { .. } => Ok(None),
            Loaded::NeverSeen => Err(refused()),
        }
    }

    /// What a rotation that is not done would have returned.
    async fn pretend_to_rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        let now = self.inner.now().await?;
        Ok(match self.inner.load(rotate.old).await? {
            Loaded::Live(record) => Rotated::Done(record.rotated(now, rotate.data)),
            Loaded::Ended { reason, .. } => Rotated::Ended(reason),
            Loaded::NeverSeen => Rotated::NeverSeen,
        })
    }
}

impl<S: SessionStore> SessionStore for ChaosStore<S> {
    async fn insert(&self, insert: Insert) -> Result<Inserted, StoreError> {
        self.write(Ok(Inserted::Kept(Vec::new())), self.inner.insert(insert))
            .await
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        self.chaos.disturb(self.inner.load(id)).await
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        if self.chaos.refuses_writes() {
            return self.chaos.disturb(self.refuse_to_touch(touch)).await;
        }
        match self.chaos.loses_writes() {
            true => self.chaos.disturb(self.pretend_to_touch(touch)).await,
            false => self.chaos.disturb(self.inner.touch(touch)).await,
        }
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        if self.chaos.refuses_writes() {
            return self.chaos.disturb(async { Err(refused()) }).await;
        }
        let real = self.inner.rotate(rotate.clone());
        match self.chaos.loses_writes() {
            true => self.chaos.disturb(self.pretend_to_rotate(rotate)).await,
            false => self.chaos.disturb(real).await,
        }
    }

    async fn revoke(&self, revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        self.write(Ok(Vec::new()), self.inner.revoke(revoke)).await
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        self.chaos.disturb(self.inner.list(user)).await
    }

    async fn put_session_key(&self, put: PutSessionKey) -> Result<(), StoreError> {
        self.write(Ok(()), self.inner.put_session_key(put)).await
    }

    async fn session_keys(&self, user: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        self.chaos.disturb(self.inner.session_keys(user)).await
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        self.chaos.disturb(self.inner.tag_keys(offer)).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.chaos.disturb(self.inner.now()).await
    }

    async fn writable(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        self.write(Ok(()), self.inner.writable(bucket)).await
    }

    async fn reach(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        self.chaos.disturb(self.inner.reach(bucket)).await
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        let cut = self.chaos.0.cut.subscribe();
        if *cut.borrow() {
            return Err(injected("links are cut"));
        }
        let feed = self.chaos.disturb(self.inner.subscribe()).await?;
        let (sender, link) = Feed::channel(LINK_CAPACITY);
        let link = match feed.has_heartbeat() {
            true => link,
            false => link.without_heartbeat(),
        };
        tokio::spawn(relay(feed, sender, cut));
        Ok(link)
    }

    fn part(&self, bucket: [u8; 2]) -> u64 {
        self.inner.part(bucket)
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }
}

/// As a server does that answers.
fn refused() -> StoreError {
    StoreError::unwritten().caused_by("chaos: it can be read only")
}

/// Passes on what a link carries, until it is cut.
async fn relay(mut feed: Feed, link: FeedSender, mut cut: watch::Receiver<bool>) {
    let is_cut = async { cut.wait_for(|is_cut| *is_cut).await.map(drop) };
    let relayed = async {
        while let Some(event) = feed.next().await {
            if !link.send(event) {
                return;
            }
        }
    };
    tokio::select! {
        _ = is_cut => {}
        () = relayed => {}
    }
}
