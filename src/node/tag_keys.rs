//! The keys of the tags: fetched, used, and put back where the store has lost them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::Node;
use super::keyring::{LOOKED_AFTER_EVERY, Tag};
use crate::cache::Answer;
use crate::observe::trace;
use crate::random;
use crate::store::{SessionStore, StoreError};
use crate::token::{SessionToken, TagKey, Token};
use crate::upstream::within;

/// Tokens with keys that nobody knows have the keys fetched at most once in this time.
const FETCH_SHARED: Duration = Duration::from_secs(1);

impl<S: SessionStore> Node<S> {
    /// Reads the session of a token whose key this node does not know; `None` if it is forged.
    pub(super) async fn read_with_unknown_key(self: &Arc<Self>, token: &Token) -> Option<Answer> {
        let id = token.id();
        // What is left of the deadline is for the session, should the keys be out of reach.
        let at_most = self.config.store_deadline / 2;
        let fetched = self.fetch_keys(FETCH_SHARED, at_most).await;
        match self.keyring.judge(token) {
            Tag::Forged => None,
            Tag::Genuine => Some(self.read_detached(id, None).await),
            // A node that starts while the keys are out of reach serves users all the same.
            Tag::Unknown if self.keyring.is_empty() => Some(self.read_detached(id, None).await),
            Tag::Unknown => {
                // Nobody waits for the one who tries a store that is down; nor below.
                if self.unknown_keys.is_looking_up()
                    && let Err(error) = self.upstream.unless_down(id.bucket())
                {
                    return Some(Answer::Failed(error));
                }
                let fetched = fetched.and_then(|()| self.expect_settled());
                let read = || self.read_detached(id, None);
                let looked_up = self.unknown_keys.look_up(token.key_id(), fetched, read);
                Some(looked_up.await)
            }
        }
    }

    /// A node that has just started may not know yet what others are about to put back: what it finds
    /// for one token says nothing of the next. Where no other process has the store, there is nobody
    /// to wait for.
    fn expect_settled(&self) -> Result<(), StoreError> {
        match self.keyring.is_settled() || !self.upstream.is_shared() {
            true => Ok(()),
            false => Err(StoreError::unavailable("other nodes may know its tag key")),
        }
    }

    /// Makes a token with the fleet's newest key.
    pub(super) async fn mint(
        self: &Arc<Self>,
        bucket: [u8; 2],
    ) -> Result<SessionToken, StoreError> {
        let key = match self.usable_key() {
            Some(key) => key,
            // Boxed, like all that is rare, so that no future is large for its sake.
            None => Box::pin(self.in_time(self.learn_key())).await?,
        };
        let mut random = [0; 32];
        random::fill(&mut random).map_err(StoreError::unavailable)?;
        Ok(Token::mint(&key, bucket, &random).to_text())
    }

    /// The fleet's newest key, if this node knows the fleet's clock and a key that is usable by it.
    fn usable_key(&self) -> Option<TagKey> {
        self.has_store_clock.get()?;
        self.keyring.usable(self.clock.now())
    }

    async fn learn_key(self: &Arc<Self>) -> Result<TagKey, StoreError> {
        self.learn_clock().await?;
        if self.usable_key().is_none() {
            self.fetch_keys(Duration::ZERO, Duration::MAX).await?;
        }
        let no_key = || StoreError::unavailable("the session store has no usable tag key");
        self.usable_key().ok_or_else(no_key)
    }

    /// Fetches the keys of the tags, and puts back what the store has lost of them. Takes no
    /// longer than `at_most`, nor than the store deadline for each of the two.
    pub(super) async fn fetch_keys(
        self: &Arc<Self>,
        shared_for: Duration,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        if self.keyring.is_fetching() {
            self.upstream.unless_down(None)?;
        }
        // One answer, however many share it.
        let fetch = async || within(at_most, self.offer_key()).await;
        let fetched = Box::pin(self.keyring.fetch(fetch, shared_for));
        fetched.await.map_err(StoreError::about_no_record)
    }

    async fn offer_key(self: &Arc<Self>) -> Result<Vec<TagKey>, StoreError> {
        let offer = self.keyring.newest().map_or_else(new_key, Ok)?;
        let kept = self
            .upstream
            .read(None, |store| store.tag_keys(offer))
            .await?;
        let Some(lost) = self.keyring.lost(&kept) else {
            return Ok(kept);
        };
        let id = lost.id();
        // What fails here is tried again by the next fetch.
        let put_back = self
            .upstream
            .write(None, |store| store.tag_keys(lost))
            .await;
        let kept = put_back.unwrap_or(kept);
        if self.keyring.lost(&kept).is_none() {
            trace::tag_key_put_back(id);
        }
        Ok(kept)
    }
}

/// The store keeps it only if it has none, and a lost one comes back from the nodes that know it.
/// Whoever makes a new one cannot know the ids of those that were lost, so it takes any.
fn new_key() -> Result<TagKey, StoreError> {
    let (mut id, mut secret) = ([0], [0; 16]);
    random::fill(&mut id).map_err(StoreError::unavailable)?;
    random::fill(&mut secret).map_err(StoreError::unavailable)?;
    Ok(TagKey::new(id[0], secret))
}

/// Has the store keep the keys that the node knows, until the node ends.
pub(super) async fn look_after_keys<S: SessionStore>(
    node: Weak<Node<S>>,
    mut alive: watch::Receiver<()>,
) {
    loop {
        tokio::select! {
            () = sleep(LOOKED_AFTER_EVERY) => {}
            _ = alive.changed() => return,
        }
        let Some(node) = node.upgrade() else { return };
        if !node.keyring.is_empty() {
            // A failure shows in all else that is read.
            let _ = node.fetch_keys(FETCH_SHARED, Duration::MAX).await;
        }
    }
}
