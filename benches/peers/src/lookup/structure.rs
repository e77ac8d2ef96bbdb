use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tower_wx_session::test_util::HitSteps;

use crate::contender::ours;
use crate::draw::Draw;
use crate::forgetful::Forgetful;
use crate::runtime::runtime;
use crate::user::identity;

/// As long as the names of sessions. Of our hit table, a fingerprint and a bucket.
pub(super) type Key = [u8; 18];
/// About as much as a session is.
pub(super) type Value = Arc<[u8; 300]>;

/// Something that finds values by keys. Clones are handles to the same entries.
pub(super) trait Structure: Clone + Send + 'static {
    fn filled(entries: usize) -> Self;

    /// The key of an entry.
    fn key(&self, entry: usize) -> Key {
        key(entry)
    }

    /// Takes a handle to the entry, looks at it and lets it go; whether it is there.
    fn finds(&self, key: &Key) -> bool;
}

/// As random as a digest.
fn key(entry: usize) -> Key {
    let mut draw = Draw::new(entry as u64);
    let mut key = [0; 18];
    key[..8].copy_from_slice(&draw.next().to_le_bytes());
    key[8..16].copy_from_slice(&draw.next().to_le_bytes());
    key
}

fn entries(entries: usize) -> impl Iterator<Item = (Key, Value)> {
    (0..entries).map(|entry| (key(entry), Arc::new([1; 300])))
}

fn has_looked_at(value: Option<Value>) -> bool {
    black_box(value.map(|value| value[0])).is_some()
}

/// The table that answers hits, with moka behind it.
#[derive(Clone)]
pub(super) struct HitTable {
    steps: Arc<HitSteps<Forgetful>>,
    keys: Arc<[Key]>,
}

impl Structure for HitTable {
    fn filled(many: usize) -> Self {
        let sessions = ours::sessions(Forgetful::default(), many);
        let steps = Arc::new(HitSteps::new(sessions.clone()));
        let keys = runtime().block_on(async {
            let mut keys = Vec::with_capacity(many);
            for user in (0..many).map(identity) {
                let issued = sessions.issue(user).await.expect("the store takes all");
                let fingerprint = steps.fingerprint(issued.token().expose().as_bytes());
                let mut key = Key::default();
                let (bits, bucket) = key.split_at_mut(16);
                let fingerprint = fingerprint.expect("it is a token");
                bits.copy_from_slice(&fingerprint.to_le_bytes());
                bucket.copy_from_slice(&issued.token().id().bucket());
                keys.push(key);
            }
            keys
        });
        let keys = Arc::from(keys);
        Self { steps, keys }
    }

    fn key(&self, entry: usize) -> Key {
        self.keys.get(entry).copied().unwrap_or_else(|| key(entry))
    }

    fn finds(&self, key: &Key) -> bool {
        let (Some(bits), Some(bucket)) = (key.first_chunk(), key.last_chunk()) else {
            return false;
        };
        let found = self.steps.probe(u128::from_le_bytes(*bits), *bucket);
        black_box(found.map(|session| session.id())).is_some()
    }
}

#[derive(Clone)]
pub(super) struct SyncMoka(moka::sync::Cache<Key, Value>);

impl Structure for SyncMoka {
    fn filled(many: usize) -> Self {
        let cache = moka::sync::Cache::new(many.max(200_000) as u64);
        entries(many).for_each(|(key, value)| cache.insert(key, value));
        cache.run_pending_tasks();
        Self(cache)
    }

    fn finds(&self, key: &Key) -> bool {
        has_looked_at(self.0.get(key))
    }
}

#[derive(Clone)]
pub(super) struct FutureMoka(moka::future::Cache<Key, Value>);

impl Structure for FutureMoka {
    fn filled(many: usize) -> Self {
        let cache = moka::future::Cache::new(many.max(200_000) as u64);
        runtime().block_on(async {
            for (key, value) in entries(many) {
                cache.insert(key, value).await;
            }
            cache.run_pending_tasks().await;
        });
        Self(cache)
    }

    /// What is not there at once counts as missing.
    fn finds(&self, key: &Key) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(self.0.get(key)).poll(&mut context) {
            Poll::Ready(value) => has_looked_at(value),
            Poll::Pending => false,
        }
    }
}

#[derive(Clone)]
pub(super) struct QuickCache(Arc<quick_cache::sync::Cache<Key, Value>>);

impl Structure for QuickCache {
    fn filled(many: usize) -> Self {
        // Its shards fill unevenly: with room for twice as many none of them evicts.
        let cache = quick_cache::sync::Cache::new(many.max(100_000) * 2);
        entries(many).for_each(|(key, value)| cache.insert(key, value));
        Self(Arc::new(cache))
    }

    fn finds(&self, key: &Key) -> bool {
        has_looked_at(self.0.get(key))
    }
}

#[derive(Clone)]
pub(super) struct Papaya(Arc<papaya::HashMap<Key, Value>>);

impl Structure for Papaya {
    fn filled(many: usize) -> Self {
        let map = papaya::HashMap::new();
        entries(many).for_each(|(key, value)| {
            map.pin().insert(key, value);
        });
        Self(Arc::new(map))
    }

    fn finds(&self, key: &Key) -> bool {
        has_looked_at(self.0.pin().get(key).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds_what_is_in_it_and_nothing_else<S: Structure>() {
        let structure = S::filled(1000);
        assert!((0..1000).all(|entry| structure.finds(&structure.key(entry))));
        assert!(!structure.finds(&structure.key(1000)));
    }

    #[test]
    fn every_structure_finds_what_is_in_it_and_nothing_else() {
        finds_what_is_in_it_and_nothing_else::<HitTable>();
        finds_what_is_in_it_and_nothing_else::<SyncMoka>();
        finds_what_is_in_it_and_nothing_else::<FutureMoka>();
        finds_what_is_in_it_and_nothing_else::<QuickCache>();
        finds_what_is_in_it_and_nothing_else::<Papaya>();
    }
}
