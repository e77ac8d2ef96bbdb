use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;

use super::structure::Record;
use super::value::{Key, Value, hash};
use crate::draw::Draw;

const SHARDS: usize = 64;
/// Entries looked at when one has to go.
const SAMPLE: usize = 8;

/// Shards behind a lock each: slots in a row, and an index into them. When a shard is full, the one of eight that
/// was used longest ago gives way.
#[derive(Clone)]
pub(super) struct Slab(Arc<[Mutex<Shard>; SHARDS]>);

struct Shard {
    capacity: usize,
    places: HashTable<u32>,
    slots: Vec<Slot>,
    draw: Draw,
}

struct Slot {
    value: Value,
    last_use: u32,
}

impl Slab {
    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // Not the bits that the index goes by.
        let shard = &self.0[(hash >> 32) as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record for Slab {
    fn with_capacity(capacity: usize) -> Self {
        let capacity = capacity.div_ceil(SHARDS);
        Self(Arc::new(std::array::from_fn(|shard| {
            Mutex::new(Shard::new(capacity, shard as u64))
        })))
    }

    fn insert(&self, value: Value, now: u32) {
        let hash = hash(&value.key);
        let slot = Slot {
            value,
            last_use: now,
        };
        // What gave way is dropped when the lock is free again.
        let _given_up = self.shard(hash).insert(hash, slot);
    }

    fn get(&self, key: &Key, now: u32) -> Option<Value> {
        let hash = hash(key);
        self.shard(hash).get(hash, key, now)
    }

    fn len(&self) -> usize {
        let lengths = self.0.iter().map(|shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.slots.len()
        });
        lengths.sum()
    }
}

impl Shard {
    fn new(capacity: usize, seed: u64) -> Self {
        Self {
            capacity,
            places: HashTable::with_capacity(capacity),
            slots: Vec::with_capacity(capacity),
            draw: Draw::new(seed),
        }
    }

    fn get(&mut self, hash: u64, key: &Key, now: u32) -> Option<Value> {
        let place = self.place(hash, key)?;
        let slot = &mut self.slots[place];
        slot.last_use = now;
        Some(Arc::clone(&slot.value))
    }

    fn place(&self, hash: u64, key: &Key) -> Option<usize> {
        let is_meant = |place: &u32| self.slots[*place as usize].value.key == *key;
        self.places
            .find(hash, is_meant)
            .map(|place| *place as usize)
    }

    /// What had to give way.
    fn insert(&mut self, hash: u64, slot: Slot) -> Option<Slot> {
        if let Some(place) = self.place(hash, &slot.value.key) {
            return Some(std::mem::replace(&mut self.slots[place], slot));
        }
        let (place, given_up) = match self.slots.len() {
            all if all < self.capacity => {
                self.slots.push(slot);
                (all, None)
            }
            _ => {
                let place = self.oldest_of_some();
                self.forget(place);
                (place, Some(std::mem::replace(&mut self.slots[place], slot)))
            }
        };
        let slots = &self.slots;
        let rehash = |place: &u32| self::hash(&slots[*place as usize].value.key);
        self.places.insert_unique(hash, place as u32, rehash);
        given_up
    }

    fn oldest_of_some(&mut self) -> usize {
        let all = self.slots.len();
        let some = (0..SAMPLE).map(|_| self.draw.below(all));
        some.min_by_key(|place| self.slots[*place].last_use)
            .unwrap_or_default()
    }

    /// Takes a slot out of the index.
    fn forget(&mut self, slot: usize) {
        let hash = hash(&self.slots[slot].value.key);
        if let Ok(place) = self
            .places
            .find_entry(hash, |place| *place as usize == slot)
        {
            place.remove();
        }
    }
}
