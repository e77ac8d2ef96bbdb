use std::sync::Arc;
use std::time::Duration;

use moka::policy::EvictionPolicy;
use quick_cache::UnitWeighter;
use quick_cache::sync::DefaultLifecycle;

use super::value::{Key, Value};
use crate::contender::identity_hasher::BuildIdentityHasher;

/// A cache that says by itself what it gives up. Clones are handles to the same entries. None hashes a key,
/// which is as random as a digest.
///
/// Times are in seconds.
pub(super) trait Record: Clone + Send + 'static {
    fn with_capacity(capacity: usize) -> Self;

    fn insert(&self, value: Value, now: u32);

    /// It counts as a use.
    fn get(&self, key: &Key, now: u32) -> Option<Value>;

    /// How many it holds.
    fn len(&self) -> usize;

    /// Gives up what it does not give up by itself.
    fn make_room(&self, _oldest: &Key) {}

    /// With these in it, and room for no more.
    fn filled(values: impl ExactSizeIterator<Item = Value>) -> Self {
        let record = Self::with_capacity(values.len());
        values.for_each(|value| record.insert(value, 0));
        record
    }
}

/// With the policy that it has in the crate.
#[derive(Clone)]
pub(super) struct Moka(moka::sync::Cache<Key, Value, BuildIdentityHasher>);

impl Record for Moka {
    fn with_capacity(capacity: usize) -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(capacity as u64)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(Duration::from_secs(3600));
        Self(cache.build_with_hasher(BuildIdentityHasher::new()))
    }

    fn insert(&self, value: Value, _now: u32) {
        self.0.insert(value.key, value);
    }

    fn get(&self, key: &Key, _now: u32) -> Option<Value> {
        self.0.get(key)
    }

    fn len(&self) -> usize {
        self.0.run_pending_tasks();
        self.0.entry_count() as usize
    }
}

#[derive(Clone)]
pub(super) struct QuickCache(Arc<Quick>);

type Quick = quick_cache::sync::Cache<Key, Value, UnitWeighter, BuildIdentityHasher>;

impl Record for QuickCache {
    fn with_capacity(capacity: usize) -> Self {
        let hasher = BuildIdentityHasher::new();
        let lifecycle = DefaultLifecycle::default();
        let cache = Quick::with(capacity, capacity as u64, UnitWeighter, hasher, lifecycle);
        Self(Arc::new(cache))
    }

    fn insert(&self, value: Value, _now: u32) {
        self.0.insert(value.key, value);
    }

    fn get(&self, key: &Key, _now: u32) -> Option<Value> {
        self.0.get(key)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// No cache, but a map: it knows no bound, and what to give up is for whoever uses it to say.
#[derive(Clone)]
pub(super) struct Papaya(Arc<papaya::HashMap<Key, Value, BuildIdentityHasher>>);

impl Record for Papaya {
    fn with_capacity(_capacity: usize) -> Self {
        Self(Arc::default())
    }

    fn insert(&self, value: Value, _now: u32) {
        self.0.pin().insert(value.key, value);
    }

    fn get(&self, key: &Key, _now: u32) -> Option<Value> {
        self.0.pin().get(key).cloned()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn make_room(&self, oldest: &Key) {
        self.0.pin().remove(oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::super::own_table::OwnTable;
    use super::super::slab::Slab;
    use super::super::value::{key, value};
    use super::*;

    const CAPACITY: usize = 10_000;

    fn keeps_what_was_put_in_last<R: Record>(most: usize) {
        let record = R::with_capacity(CAPACITY);
        for number in 0..10 * CAPACITY {
            record.insert(value(number), number as u32);
            assert!(record.get(&key(number), number as u32).is_some());
        }
        assert!(record.get(&key(10 * CAPACITY), 0).is_none());
        let held = record.len();
        assert!((CAPACITY * 9 / 10..=most).contains(&held), "{held}");
    }

    #[test]
    fn what_is_new_comes_in_and_the_bound_is_kept() {
        keeps_what_was_put_in_last::<QuickCache>(CAPACITY);
        keeps_what_was_put_in_last::<OwnTable<1>>(CAPACITY.next_power_of_two());
        keeps_what_was_put_in_last::<OwnTable<2>>((2 * CAPACITY).next_power_of_two());
        keeps_what_was_put_in_last::<Slab>(CAPACITY + 64);
    }

    fn keeps_what_is_used<R: Record>() {
        let record = R::with_capacity(CAPACITY);
        for number in 0..CAPACITY / 10 {
            record.insert(value(number), 0);
        }
        for now in 1..=20 {
            for number in 0..CAPACITY / 10 {
                if record.get(&key(number), now).is_none() {
                    record.insert(value(number), now);
                }
            }
            for number in 0..CAPACITY / 2 {
                record.insert(value(now as usize * CAPACITY + number), now);
            }
        }
        let kept = (0..CAPACITY / 10).filter(|number| record.get(&key(*number), 20).is_some());
        let kept = kept.count();
        assert!(kept > CAPACITY / 10 * 9 / 10, "{kept}");
    }

    #[test]
    fn what_is_used_stays_when_others_come_and_go() {
        keeps_what_is_used::<OwnTable<1>>();
        keeps_what_is_used::<OwnTable<2>>();
        keeps_what_is_used::<Slab>();
    }
}
