use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::node::{Node, about_no_session, fill_random, within};
use crate::observe::trace;
use crate::store::{SessionStore, StoreError};
use crate::token::TagKey;

/// Tokens with keys that nobody knows have the store asked for keys at most once in this time.
pub(super) const FETCH_SHARED: Duration = Duration::from_secs(1);
/// How often a node looks whether the store still has the keys.
const LOOKED_AFTER_EVERY: Duration = Duration::from_secs(5);

impl<S: SessionStore> Node<S> {
    /// Fetches the keys of the tags, and puts back what the store has lost of them. Takes no
    /// longer than `at_most`, nor than the store deadline for each of the two.
    pub(super) async fn fetch_keys(
        self: &Arc<Self>,
        shared_for: Duration,
        at_most: Duration,
    ) -> Result<(), StoreError> {
        // One answer, however many share it.
        let ask = async || within(at_most, self.offer_key()).await;
        let fetched = Box::pin(self.keyring.fetch(ask, shared_for));
        fetched.await.map_err(about_no_session)
    }

    async fn offer_key(self: &Arc<Self>) -> Result<Vec<TagKey>, StoreError> {
        let offer = self.keyring.newest().map_or_else(new_key, Ok)?;
        let kept = self.ask(None, self.store.tag_keys(offer)).await?;
        let Some(lost) = self.keyring.lost(&kept) else {
            return Ok(kept);
        };
        let id = lost.id();
        // What fails here is tried again by the next fetch.
        let kept = self
            .tell(None, self.store.tag_keys(lost))
            .await
            .unwrap_or(kept);
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
    fill_random(&mut id)?;
    fill_random(&mut secret)?;
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
            // A failure shows in all else that the store is asked.
            let _ = node.fetch_keys(FETCH_SHARED, Duration::MAX).await;
        }
    }
}
