use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::store::{StoreError, TagKey, Timestamp};
use crate::token::Token;

/// The keys of the tags that this node knows.
#[derive(Default)]
pub(super) struct Keyring {
    keys: ArcSwap<Vec<TagKey>>,
    last_fetch: Mutex<Option<(Instant, Result<(), StoreError>)>>,
}

/// What a token's tag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Genuine,
    Forged,
    /// Made with a key that this node has not seen.
    Unknown,
}

impl Keyring {
    pub(super) fn judge(&self, token: &Token) -> Tag {
        let keys = self.keys.load();
        let mut named = keys
            .iter()
            .filter(|key| key.id() == token.key_id())
            .peekable();
        if named.peek().is_none() {
            Tag::Unknown
        } else if named.any(|key| token.has_tag_of(key)) {
            Tag::Genuine
        } else {
            Tag::Forged
        }
    }

    /// The newest key that tokens may be tagged with.
    pub(super) fn newest(&self, now: Timestamp) -> Option<TagKey> {
        let keys = self.keys.load();
        let usable = keys.iter().filter(|key| key.is_usable(now));
        usable
            .reduce(|a, b| if a.is_older_than(b) { b } else { a })
            .cloned()
    }

    /// Fetches the keys, once for all who want them; the outcome is shared for so long.
    pub(super) async fn fetch(
        &self,
        ask: impl AsyncFnOnce() -> Result<Vec<TagKey>, StoreError>,
        shared_for: Duration,
    ) -> Result<(), StoreError> {
        let mut last_fetch = self.last_fetch.lock().await;
        match &*last_fetch {
            Some((at, outcome)) if at.elapsed() < shared_for => outcome.clone(),
            _ => {
                let fetched = ask().await;
                let outcome = fetched.map(|keys| self.add(&keys));
                *last_fetch = Some((Instant::now(), outcome.clone()));
                outcome
            }
        }
    }

    /// Keys that the store has lost stay: tokens tagged with them are still about.
    fn add(&self, fetched: &[TagKey]) {
        self.keys.rcu(|known| {
            let lost = known.iter().filter(|known| !fetched.contains(known));
            lost.chain(fetched).cloned().collect::<Vec<_>>()
        });
    }
}
