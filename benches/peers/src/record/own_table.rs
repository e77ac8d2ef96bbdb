use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwapOption;

use super::structure::Record;
use super::value::{Entry, Key, Value, hash};

/// Two lines of the processor's cache.
const WAYS: usize = 8;

/// A table of fixed size that is read and written without a lock, like the hit table: an entry may be in any of
/// eight slots, each slot says when it was used last, and the one of the eight that was used longest ago gives way.
///
/// So many slots for each entry of the capacity: it holds as many as it has slots.
#[derive(Clone)]
pub(super) struct OwnTable<const SLOTS: usize>(Arc<[Set]>);

#[derive(Default)]
#[repr(align(64))]
struct Set([Slot; WAYS]);

// The order of writes and reads is that of the hit table: the value, then its hint.
#[derive(Default)]
struct Slot {
    /// Of the hash: whether it is worth a look.
    hint: AtomicU32,
    last_use: AtomicU32,
    value: ArcSwapOption<Entry>,
}

impl<const SLOTS: usize> OwnTable<SLOTS> {
    fn place(&self, key: &Key) -> (&[Slot; WAYS], u32) {
        let hash = hash(key);
        let set = hash as usize & (self.0.len() - 1);
        (&self.0[set].0, (hash >> 32) as u32)
    }
}

impl<const SLOTS: usize> Record for OwnTable<SLOTS> {
    fn with_capacity(capacity: usize) -> Self {
        let sets = (SLOTS * capacity).div_ceil(WAYS).next_power_of_two();
        Self((0..sets).map(|_| Set::default()).collect())
    }

    fn insert(&self, value: Value, now: u32) {
        let (slots, hint) = self.place(&value.key);
        let same = slots
            .iter()
            .find(|slot| slot.get(&value.key, hint).is_some());
        let free = || slots.iter().find(|slot| slot.value.load().is_none());
        let oldest = || {
            slots
                .iter()
                .min_by_key(|slot| slot.last_use.load(Ordering::Relaxed))
        };
        if let Some(slot) = same.or_else(free).or_else(oldest) {
            slot.last_use.store(now, Ordering::Relaxed);
            slot.value.store(Some(value));
            slot.hint.store(hint, Ordering::Release);
        }
    }

    fn get(&self, key: &Key, now: u32) -> Option<Value> {
        let (slots, hint) = self.place(key);
        slots.iter().find_map(|slot| {
            let value = slot.get(key, hint)?;
            slot.note_use(now);
            Some(value)
        })
    }

    fn len(&self) -> usize {
        let slots = self.0.iter().flat_map(|set| &set.0);
        slots.filter(|slot| slot.value.load().is_some()).count()
    }
}

impl Slot {
    fn get(&self, key: &Key, hint: u32) -> Option<Value> {
        if self.hint.load(Ordering::Acquire) != hint {
            return None;
        }
        let value = self.value.load();
        value.as_ref().filter(|value| value.key == *key).cloned()
    }

    /// At most one write a second, so that readers do not take the line from each other.
    fn note_use(&self, now: u32) {
        if self.last_use.load(Ordering::Relaxed) != now {
            self.last_use.store(now, Ordering::Relaxed);
        }
    }
}
