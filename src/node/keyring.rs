use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::store::StoreError;
use crate::time::Timestamp;
use crate::token::{TagKey, Token};

/// How often a node looks whether the store still has the keys.
pub(super) const LOOKED_AFTER_EVERY: Duration = Duration::from_secs(5);
/// Within this each key that a node knows is in the store, and fetched by a node that wants it: what
/// one fetch finds is shared for a second.
const SETTLED_AFTER: Duration = LOOKED_AFTER_EVERY.saturating_add(Duration::from_secs(1));

/// The keys of the tags that this node knows.
#[derive(Default)]
pub(super) struct Keyring {
    keys: ArcSwap<Vec<TagKey>>,
    last_fetch: Mutex<Option<(Instant, Result<(), StoreError>)>>,
    /// Fetches that have ended.
    fetches: AtomicU64,
    /// Since when there are any.
    known_since: OnceLock<Instant>,
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

    /// Whether every other node has had the time to put back what it knows, and this one to fetch
    /// it: then nobody knows the keys that this node does not.
    pub(super) fn is_settled(&self) -> bool {
        let since = self.known_since.get();
        since.is_some_and(|since| since.elapsed() >= SETTLED_AFTER)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.load().is_empty()
    }

    /// The newest key that tokens may be tagged with.
    pub(super) fn usable(&self, now: Timestamp) -> Option<TagKey> {
        let keys = self.keys.load();
        newest(keys.iter().filter(|key| key.is_usable(now))).cloned()
    }

    /// The newest key, which the store is offered in case it has lost it.
    pub(super) fn newest(&self) -> Option<TagKey> {
        newest(self.keys.load().iter()).cloned()
    }

    /// A key that is none of those `kept`, in the form in which a store takes it back: newer than
    /// all of them, by the same amount wherever it is put back.
    pub(super) fn lost(&self, kept: &[TagKey]) -> Option<TagKey> {
        let keys = self.keys.load();
        let lost = keys
            .iter()
            .find(|key| !kept.iter().any(|kept| kept.is_same_as(key)))?;
        let newest = newest(kept.iter()).map_or_else(Timestamp::default, TagKey::usable_since);
        let usable_from = newest.after(Duration::from_millis(1));
        Some(lost.clone().usable_from(usable_from))
    }

    /// Fetches the keys, once for all who want them; the outcome is shared for so long, and with
    /// those who waited for it.
    pub(super) async fn fetch(
        &self,
        fetch: impl AsyncFnOnce() -> Result<Vec<TagKey>, StoreError>,
        shared_for: Duration,
    ) -> Result<(), StoreError> {
        // Relaxed: it is changed under the lock, which orders the second look. The first one may be
        // late only if a fetch has just ended, and then one more is made.
        let seen = self.fetches.load(Ordering::Relaxed);
        let mut last_fetch = self.last_fetch.lock().await;
        let has_waited = self.fetches.load(Ordering::Relaxed) != seen;
        match &*last_fetch {
            Some((at, outcome)) if has_waited || at.elapsed() < shared_for => outcome.clone(),
            _ => {
                // Stands if the caller is gone before the answer: the next one does not fetch again.
                *last_fetch = Some((Instant::now(), Err(cut_short())));
                let fetched = fetch().await;
                let outcome = fetched.map(|keys| self.add(&keys));
                *last_fetch = Some((Instant::now(), outcome.clone()));
                self.fetches.fetch_add(1, Ordering::Relaxed);
                outcome
            }
        }
    }

    /// Whether somebody is fetching.
    pub(super) fn is_fetching(&self) -> bool {
        self.last_fetch.try_lock().is_err()
    }

    /// Keys that the store has lost stay: tokens tagged with them are still about.
    fn add(&self, fetched: &[TagKey]) {
        self.known_since.get_or_init(Instant::now);
        self.keys.rcu(|known| {
            let is_lost = |known: &&TagKey| !fetched.iter().any(|key| key.is_same_as(known));
            let lost = known.iter().filter(is_lost);
            lost.chain(fetched).cloned().collect::<Vec<_>>()
        });
    }
}

fn newest<'a>(keys: impl Iterator<Item = &'a TagKey>) -> Option<&'a TagKey> {
    keys.reduce(|a, b| if a.is_older_than(b) { b } else { a })
}

fn cut_short() -> StoreError {
    StoreError::unavailable("the tag keys were not waited for")
}
