//! The keys of the tags: one place where new ones are taken, and copies in other slots of a
//! Cluster, which serve while that place cannot be read and restore what it has lost.

use std::future::Future;
use std::time::Duration;

use redis::Value;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::RedisStore;
use super::wire::keys::COPIES;
use super::wire::reply::{bytes, items};
use crate::backend::wire::tag_key;
use crate::store::{StoreError, StoreErrorKind};
use crate::token::TagKey;

/// The longest that one place holds up what the others know.
const PATIENCE: Duration = Duration::from_millis(100);

type Kept = Result<Vec<TagKey>, StoreError>;

impl RedisStore {
    /// All keys, after adding the offer if it is newer than all of them.
    pub(super) async fn keep_tag_keys(&self, offer: &TagKey) -> Kept {
        let (source, copies) = self.read_tag_keys().await;
        let mut keys = union(copies.iter().flatten().flatten());
        let lacking = match &source {
            Ok(kept) => {
                let lacking = without(&keys, kept);
                keys = union(kept.iter().chain(&keys));
                lacking
            }
            Err(error) if keys.is_empty() => return Err(error.clone()),
            // Nothing can be added meanwhile.
            Err(_) => return Ok(keys),
        };
        if keys.is_empty() {
            all_are_read(&copies)?;
        }
        let source = self.keys.tag_keys();
        // What cannot be put back now is the next time.
        let _ = self.copy_tag_keys(&source, &lacking).await;
        if offer.is_newer_than_all(&keys) {
            keys = self.offer_tag_key(source, offer).await?;
        }
        self.complete_copies(&copies, &keys).await;
        Ok(keys)
    }

    /// What each place has. None holds up what another knows; while none knows anything, all are
    /// waited for.
    async fn read_tag_keys(&self) -> (Kept, [Kept; COPIES]) {
        let is_known = watch::Sender::new(false);
        let [a, b, c, d] = self.keys.copies_of_tag_keys();
        let read = |key| unless_known(&is_known, self.read_tag_keys_in(key));
        let source = read(self.keys.tag_keys());
        let (source, a, b, c, d) = tokio::join!(source, read(a), read(b), read(c), read(d));
        (source, [a, b, c, d])
    }

    async fn read_tag_keys_in(&self, key: String) -> Kept {
        let mut range = redis::cmd("ZRANGE");
        range.arg(&key).arg(0).arg(-1);
        let answer = self.router.query(&key, &range).await;
        let kept = answer.and_then(|answer| decode(&answer));
        // Nothing says so but a log: no request is about this key.
        kept.map_err(|error| match error.kind() {
            StoreErrorKind::Corrupt => StoreError::unavailable(format!(
                "the key {key:?} holds what this store has not put there: delete it"
            )),
            _ => error,
        })
    }

    /// Only here a new key is made, so that nodes that start together agree on one.
    async fn offer_tag_key(&self, source: String, offer: &TagKey) -> Kept {
        let call = self.calls([0, 0]).tag_keys(source, offer);
        decode(&self.router.run(&call).await?)
    }

    /// Adds what the copies lack that could be read.
    async fn complete_copies(&self, copies: &[Kept; COPIES], keys: &[TagKey]) {
        let names = self.keys.copies_of_tag_keys();
        let lacking = |n: usize| {
            copies[n]
                .as_ref()
                .map_or_else(|_| Vec::new(), |c| without(keys, c))
        };
        let lacking: [_; COPIES] = std::array::from_fn(lacking);
        let add = |n: usize| in_time(self.copy_tag_keys(&names[n], &lacking[n]));
        let _ = tokio::join!(add(0), add(1), add(2), add(3));
    }

    async fn copy_tag_keys(&self, to: &str, keys: &[TagKey]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut add = redis::cmd("ZADD");
        add.arg(to);
        for key in keys {
            add.arg(key.usable_since().as_millis());
            add.arg(tag_key::encode(key));
        }
        self.router.query(to, &add).await.map(drop)
    }
}

fn decode(answer: &Value) -> Kept {
    let keys = items(answer)?.iter().filter_map(bytes);
    keys.map(tag_key::decode).collect()
}

/// What a place has, unless it takes longer than [`PATIENCE`] after another one has told of keys.
async fn unless_known(is_known: &watch::Sender<bool>, read: impl Future<Output = Kept>) -> Kept {
    let mut elsewhere = is_known.subscribe();
    let late = async {
        let _ = elsewhere.wait_for(|is_known| *is_known).await;
        sleep(PATIENCE).await;
    };
    tokio::select! {
        biased;
        kept = read => {
            if kept.as_ref().is_ok_and(|keys| !keys.is_empty()) {
                is_known.send_replace(true);
            }
            kept
        }
        () = late => Err(StoreError::unavailable("the tag keys are known elsewhere")),
    }
}

/// A copy that cannot be read may have a key that the other places have lost. A new one could get
/// its number, and its tokens would be taken for forged ones.
fn all_are_read(copies: &[Kept; COPIES]) -> Result<(), StoreError> {
    let mut unread = copies.iter().filter_map(|copy| copy.as_ref().err());
    // One that is damaged will not tell it later either.
    match unread.find(|error| error.is_unavailable()) {
        Some(error) => Err(error.clone()),
        None => Ok(()),
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let answer = timeout(PATIENCE, answer).await;
    answer.unwrap_or_else(|late| Err(StoreError::unavailable(late)))
}

fn union<'a>(keys: impl Iterator<Item = &'a TagKey>) -> Vec<TagKey> {
    keys.fold(Vec::new(), |mut union, key| {
        if !union.contains(key) {
            union.push(key.clone());
        }
        union
    })
}

/// The keys that are not among the others.
fn without(keys: &[TagKey], others: &[TagKey]) -> Vec<TagKey> {
    let missing = keys.iter().filter(|key| !others.contains(key));
    missing.cloned().collect()
}
