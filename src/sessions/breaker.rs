use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};

use super::part::Part;
use crate::observe::trace;
use crate::store::{StoreError, StoreErrorKind};
use crate::time::Timestamp;

/// Parts of the store that are remembered, whatever a store makes up.
pub(super) const MOST_PARTS: usize = 1024;

/// What a question is put to: a part of the store, and a bucket in it if it is about one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) part: u64,
    pub(super) bucket: Option<[u8; 2]>,
}

/// Knows which parts of the store are down, so that nobody waits for them then, and that the users
/// of the others do not notice.
pub(super) struct Breaker {
    /// How many parts are open. It is changed under the lock of `parts`, and read without: while
    /// it is 0, nothing else is looked at.
    open: AtomicUsize,
    parts: Mutex<BTreeMap<u64, Known>>,
    /// How many may be at a part at the same time.
    turns: usize,
    /// Rung when a part closes.
    closed: Arc<Notify>,
}

struct Known {
    part: Part,
    /// Who may be at it with a load: one part that is slow does not use up the others' turns.
    turns: Arc<Semaphore>,
}

impl Breaker {
    /// `turns` loads may be at one part of the store at the same time.
    pub(super) fn new(turns: usize) -> Self {
        Self {
            open: AtomicUsize::new(0),
            parts: Mutex::new(BTreeMap::new()),
            turns,
            closed: Arc::default(),
        }
    }

    /// Whether any part is open.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    pub(super) fn is_open_at(&self, part: u64) -> bool {
        self.is_open() && self.with(part, |known| known.part.is_open())
    }

    /// The parts that are open, and what to ask them for.
    pub(super) fn open_places(&self) -> Vec<Place> {
        let parts = self.lock();
        let open = parts.iter().filter(|(_, known)| known.part.is_open());
        open.map(|(name, known)| Place {
            part: *name,
            bucket: known.part.bucket(),
        })
        .collect()
    }

    /// The turns of those who load from a part.
    pub(super) fn turns(&self, part: u64) -> Arc<Semaphore> {
        self.with(part, |known| Arc::clone(&known.turns))
    }

    /// Notes what a question came to; `true` if that opens the part.
    pub(super) fn asked(&self, place: Place, has_failed: bool, now: Timestamp) -> bool {
        self.with(place.part, |known| {
            let opens = known.part.asked(place.bucket, has_failed, now);
            if opens {
                self.open.fetch_add(1, Ordering::Release);
            }
            opens
        })
    }

    /// Notes what an order came to.
    pub(super) fn told(&self, place: Place, has_failed: bool, now: Timestamp) {
        self.with(place.part, |known| known.part.told(has_failed, now));
    }

    /// A probe has found the part to answer.
    pub(super) fn close(&self, part: u64, now: Timestamp) {
        self.with(part, |known| {
            if known.part.is_open() {
                self.open.fetch_sub(1, Ordering::Release);
            }
            known.part.close(now);
        });
        self.closed.notify_waiters();
    }

    /// Ends when a part closes. Whoever waits holds no node for that.
    pub(super) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let closed = Arc::clone(&self.closed);
        async move { closed.notified().await }
    }

    /// Whether a session of this part that the store takes for idle since `idle_at` may have been
    /// used in an outage, and the store be told of it any moment now.
    pub(super) fn may_be_touched(&self, part: u64, idle_at: Timestamp, now: Timestamp) -> bool {
        self.with(part, |known| known.part.may_be_touched(idle_at, now))
    }

    /// Tells operators when a part begins to fail and when that is over.
    pub(super) fn report<T>(&self, part: u64, answer: &Result<T, StoreError>) {
        match answer {
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                let is_first = self.with(part, |known| known.part.log_failure());
                trace::store_failed(error, is_first);
            }
            // Of one record, not of the store.
            Err(error) => trace::store_failed(error, false),
            Ok(_) => {
                if let Some(over) = self.with(part, |known| known.part.log_success()) {
                    trace::store_is_back(over);
                }
            }
        }
    }

    fn with<T>(&self, part: u64, then: impl FnOnce(&mut Known) -> T) -> T {
        let mut parts = self.lock();
        if parts.len() >= MOST_PARTS && !parts.contains_key(&part) {
            self.forget_one(&mut parts);
        }
        then(parts.entry(part).or_insert_with(|| Known {
            part: Part::default(),
            turns: Arc::new(Semaphore::new(self.turns)),
        }))
    }

    /// Forgets the part that matters least: one that is closed, and was not heard of for longest.
    fn forget_one(&self, parts: &mut BTreeMap<u64, Known>) {
        let least = parts
            .iter()
            .min_by_key(|(_, known)| (known.part.is_open(), known.part.last_success()))
            .map(|(name, _)| *name);
        let forgotten = least.and_then(|name| parts.remove(&name));
        if forgotten.is_some_and(|known| known.part.is_open()) {
            self.open.fetch_sub(1, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Known>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    const fn place(part: u64) -> Place {
        Place {
            part,
            bucket: Some([7, 7]),
        }
    }

    fn open(breaker: &Breaker, part: u64) {
        while !breaker.asked(place(part), true, at(0)) {}
    }

    #[test]
    fn a_part_that_fails_opens_alone_and_closes_alone() {
        let breaker = Breaker::new(1);
        for _ in 0..100 {
            breaker.asked(place(1), true, at(0));
            breaker.asked(place(2), false, at(0));
        }
        assert!(breaker.is_open_at(1) && !breaker.is_open_at(2));
        assert_eq!(breaker.open_places(), [place(1)]);
        open(&breaker, 3);
        breaker.close(1, at(0));
        assert!(!breaker.is_open_at(1) && breaker.is_open_at(3) && breaker.is_open());
        breaker.close(3, at(0));
        breaker.close(3, at(0));
        assert!(!breaker.is_open());
    }

    #[test]
    fn an_outage_is_that_of_its_part() {
        let breaker = Breaker::new(1);
        for part in [1, 2] {
            breaker.asked(place(part), false, at(100));
        }
        breaker.told(place(1), true, at(110));
        breaker.asked(place(2), false, at(110));
        assert!(breaker.may_be_touched(1, at(105), at(200)));
        assert!(!breaker.may_be_touched(2, at(105), at(200)));
        breaker.told(place(1), false, at(200));
        assert!(breaker.may_be_touched(1, at(105), at(204)));
        assert!(!breaker.may_be_touched(1, at(105), at(205)));
    }

    #[test]
    fn turns_are_those_of_a_part() {
        let breaker = Breaker::new(1);
        let turn = breaker.turns(1).try_acquire_owned();
        assert!(turn.is_ok() && breaker.turns(1).try_acquire().is_err());
        assert!(breaker.turns(2).try_acquire().is_ok());
    }

    #[test]
    fn parts_without_end_are_forgotten_open_ones_last() {
        let breaker = Breaker::new(1);
        open(&breaker, 0);
        for part in 1..3000 {
            breaker.asked(place(part), false, at(part));
        }
        assert_eq!(breaker.lock().len(), MOST_PARTS);
        assert!(breaker.is_open_at(0));
        for part in 1..3000 {
            open(&breaker, part);
        }
        assert_eq!(breaker.open_places().len(), MOST_PARTS);
        for place in breaker.open_places() {
            breaker.close(place.part, at(0));
        }
        assert!(!breaker.is_open());
    }
}
