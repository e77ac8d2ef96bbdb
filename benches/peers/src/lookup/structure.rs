use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::draw::Draw;
use crate::runtime::runtime;

/// As long as the names of sessions.
pub(super) type Key = [u8; 18];
/// About as much as a session is.
pub(super) type Value = Arc<[u8; 300]>;

/// Something that finds values by keys. Clones are handles to the same entries.
pub(super) trait Structure: Clone + Send + 'static {
    fn filled(entries: usize) -> Self;

    fn get(&self, key: &Key) -> Option<Value>;
}

/// The key of an entry: as random as a digest.
pub(super) fn key(entry: usize) -> Key {
    let mut draw = Draw::new(entry as u64);
    let mut key = [0; 18];
    key[..8].copy_from_slice(&draw.next().to_le_bytes());
    key[8..16].copy_from_slice(&draw.next().to_le_bytes());
    key
}

fn entries(entries: usize) -> impl Iterator<Item = (Key, Value)> {
    (0..entries).map(|entry| (key(entry), Arc::new([1; 300])))
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

    fn get(&self, key: &Key) -> Option<Value> {
        self.0.get(key)
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
    fn get(&self, key: &Key) -> Option<Value> {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(self.0.get(key)).poll(&mut context) {
            Poll::Ready(value) => value,
            Poll::Pending => None,
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

    fn get(&self, key: &Key) -> Option<Value> {
        self.0.get(key)
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

    fn get(&self, key: &Key) -> Option<Value> {
        self.0.pin().get(key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds_what_is_in_it_and_nothing_else<S: Structure>() {
        let structure = S::filled(1000);
        assert!((0..1000).all(|entry| structure.get(&key(entry)).is_some()));
        assert!(structure.get(&key(1000)).is_none());
    }

    #[test]
    fn every_structure_finds_what_is_in_it_and_nothing_else() {
        finds_what_is_in_it_and_nothing_else::<SyncMoka>();
        finds_what_is_in_it_and_nothing_else::<FutureMoka>();
        finds_what_is_in_it_and_nothing_else::<QuickCache>();
        finds_what_is_in_it_and_nothing_else::<Papaya>();
    }
}
