use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::gate::Admission;
use super::part::Part;
use crate::random;
use crate::store::StoreError;
use crate::sync::Lock;

/// Parts of the store that are remembered, whatever a store makes up.
const MOST_PARTS: usize = 1024;
/// Before a part that failed is tried again, evenly spread so that the nodes of a fleet take turns.
const TRY_AFTER: Duration = Duration::from_millis(200);
const TRY_SPREAD: Duration = Duration::from_millis(400);
/// A part that is open and that nobody came to for so long is forgotten: its slots may have moved.
const DESERTED_AFTER: Duration = Duration::from_secs(60);

/// Knows which parts of the store are down, so that nobody waits for them then, and that the users
/// of the others do not notice.
///
/// A part is a server that fails by itself, such as a master of a Cluster. There is a breaker for
/// each: five failed reads in a row open it, or ten of the last twenty; after a pause one real read
/// tries the part (half-open), and what comes of that closes it or opens it again.
pub(super) struct Breaker {
    /// How many parts are open. Changed under the lock of `parts` and read without. Relaxed: who
    /// reads 0 looks no further, who reads more takes the lock. Who reads it late reads once more
    /// from a store that is down, or looks at a gate that is closed.
    open: AtomicUsize,
    parts: Lock<BTreeMap<u64, Known>>,
    /// How many reads may be at a part at the same time.
    turns: usize,
    /// Wakes those who wait for a part to close.
    closed: Arc<Notify>,
}

struct Known {
    part: Part,
    /// Reads that are at it: one part that is slow does not use up the others' turns.
    turns: Arc<Semaphore>,
}

impl Breaker {
    pub(super) fn new(turns: usize) -> Self {
        Self {
            open: AtomicUsize::new(0),
            parts: Lock::default(),
            turns: turns.min(Semaphore::MAX_PERMITS),
            closed: Arc::default(),
        }
    }

    /// Whether any part is open.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Fails while a part is open; does not try it.
    pub(super) fn unless_open(&self, part: u64) -> Result<(), StoreError> {
        if !self.is_open() {
            return Ok(());
        }
        self.with(part, |part| match part.gate.is_closed() {
            true => Ok(()),
            false => Err(down(part)),
        })
    }

    /// Lets somebody come to a part, perhaps as the one who tries it.
    pub(super) fn admit(
        &self,
        part: u64,
        deadline: Duration,
    ) -> Result<Option<Trial<'_>>, StoreError> {
        if !self.is_open() {
            return Ok(None);
        }
        let trial = || Trial {
            breaker: self,
            part,
            since: Instant::now(),
            deadline,
        };
        self.with(part, |part| {
            match part.gate.admit(Instant::now(), deadline) {
                Admission::Granted => Ok(None),
                Admission::Trial => Ok(Some(trial())),
                Admission::Refused => Err(down(part)),
            }
        })
    }

    /// Who may read from a part at the same time.
    pub(super) fn turns(&self, part: u64) -> Arc<Semaphore> {
        Arc::clone(&self.known(&mut self.parts.lock(), part).turns)
    }

    /// Notes what a read came to; `true` if that opens the part.
    pub(super) fn read(&self, part: u64, has_failed: bool) -> bool {
        self.with(part, |part| {
            // Each pause takes randomness from the system: only where one begins.
            let opens = part.read(has_failed, pause);
            if opens {
                self.open.fetch_add(1, Ordering::Relaxed);
            }
            opens
        })
    }

    /// Ends when a part closes. Whoever waits borrows nothing for that.
    pub(super) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let closed = Arc::clone(&self.closed);
        async move { closed.notified().await }
    }

    /// A bucket of each part to which nothing new could be written when that was tried last.
    pub(super) fn unwritten_buckets(&self) -> Vec<[u8; 2]> {
        let parts = self.parts.lock();
        let buckets = parts.values().map(|known| known.part.unwritten_bucket());
        buckets.flatten().collect()
    }

    /// Looks at a part, or changes it.
    pub(super) fn with<T>(&self, part: u64, then: impl FnOnce(&mut Part) -> T) -> T {
        then(&mut self.known(&mut self.parts.lock(), part).part)
    }

    fn known<'a>(
        &self,
        parts: &'a mut MutexGuard<'_, BTreeMap<u64, Known>>,
        part: u64,
    ) -> &'a mut Known {
        if parts.len() >= MOST_PARTS && !parts.contains_key(&part) {
            self.forget_one(parts);
        }
        parts.entry(part).or_insert_with(|| Known {
            part: Part::default(),
            turns: Arc::new(Semaphore::new(self.turns)),
        })
    }

    /// Forgets parts that are open and that nobody came to for long. No other would close them.
    pub(super) fn forget_deserted(&self) {
        let mut parts = self.parts.lock();
        let (now, before) = (Instant::now(), parts.len());
        parts.retain(|_, known| !known.part.gate.is_deserted(now, DESERTED_AFTER));
        let forgotten = before - parts.len();
        self.open.fetch_sub(forgotten, Ordering::Relaxed);
    }

    /// Forgets the part that matters least: one that is closed, and was not heard of for longest.
    fn forget_one(&self, parts: &mut BTreeMap<u64, Known>) {
        let least = parts.iter().min_by_key(|(_, known)| {
            let part = &known.part;
            (!part.gate.is_closed(), part.last_success())
        });
        let least = least.map(|(name, _)| *name);
        let forgotten = least.and_then(|name| parts.remove(&name));
        if forgotten.is_some_and(|known| !known.part.gate.is_closed()) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// The right to try a part that is open. Dropped before it has ended, as when its request is gone, it
/// leaves the trial to the next one who comes, after a pause if it has waited for long.
#[must_use]
pub(super) struct Trial<'a> {
    breaker: &'a Breaker,
    part: u64,
    since: Instant,
    deadline: Duration,
}

impl Trial<'_> {
    /// What the trial came to; `true` if the part is closed by that.
    pub(super) fn ends(self, has_failed: bool) -> bool {
        let Self { breaker, part, .. } = self;
        std::mem::forget(self);
        let closes = breaker.with(part, |part| {
            // Closed by a later trial, or forgotten meanwhile: this one is over.
            if part.gate.is_closed() {
                return false;
            }
            part.trial_ended(has_failed, pause());
            if !has_failed {
                breaker.open.fetch_sub(1, Ordering::Relaxed);
            }
            !has_failed
        });
        if closes {
            breaker.closed.notify_waiters();
        }
        closes
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        // Whoever gave up after a while has waited for a store that does not answer.
        let has_waited = self.since.elapsed() >= self.deadline / 2;
        let left = if has_waited { pause() } else { Duration::ZERO };
        self.breaker.with(self.part, |part| {
            if !part.gate.is_closed() {
                part.gate.open(Instant::now() + left);
            }
        });
    }
}

/// Why nobody asks a part, with what it failed of last.
fn down(part: &Part) -> StoreError {
    StoreError::unavailable(Open(part.last_failure()))
}

#[derive(Debug)]
struct Open(Option<StoreError>);

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the breaker is open")
    }
}

impl Error for Open {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_ref().and_then(Error::source)
    }
}

fn pause() -> Duration {
    TRY_AFTER + random::share_of(TRY_SPREAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Uptime;

    const DEADLINE: Duration = Duration::from_millis(250);

    fn open(breaker: &Breaker, part: u64) {
        while !breaker.read(part, true) {}
    }

    fn is_open(breaker: &Breaker, part: u64) -> bool {
        breaker.unless_open(part).is_err()
    }

    async fn try_it(breaker: &Breaker, part: u64, has_failed: bool) -> bool {
        tokio::time::sleep(TRY_AFTER + TRY_SPREAD).await;
        let trial = breaker.admit(part, DEADLINE).unwrap();
        trial.expect("a trial").ends(has_failed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_fails_opens_alone_and_closes_alone() {
        let breaker = Breaker::new(1);
        for _ in 0..100 {
            breaker.read(1, true);
            breaker.read(2, false);
        }
        assert!(is_open(&breaker, 1) && !is_open(&breaker, 2));
        open(&breaker, 3);
        assert!(try_it(&breaker, 1, false).await);
        assert!(!is_open(&breaker, 1) && is_open(&breaker, 3));
        assert!(!try_it(&breaker, 3, true).await);
        assert!(is_open(&breaker, 3));
        assert!(try_it(&breaker, 3, false).await);
        assert!(!breaker.is_open());
    }

    #[test]
    fn whoever_is_refused_is_told_what_the_part_failed_of_last() {
        let breaker = Breaker::new(1);
        open(&breaker, 1);
        let failure = StoreError::unavailable("the disk is gone");
        breaker.with(1, |part| part.failed(&failure, Uptime::from_millis(1)));
        let refused = breaker.unless_open(1).unwrap_err();
        let open = refused.source().unwrap();
        assert_eq!(open.to_string(), "the breaker is open");
        assert_eq!(open.source().unwrap().to_string(), "the disk is gone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_is_dropped_is_left_to_the_next() {
        let breaker = Breaker::new(1);
        open(&breaker, 1);
        assert!(breaker.admit(1, DEADLINE).is_err(), "the pause");
        tokio::time::sleep(TRY_AFTER + TRY_SPREAD).await;
        let trial = breaker.admit(1, DEADLINE).unwrap();
        assert!(trial.is_some() && breaker.admit(1, DEADLINE).is_err());
        drop(trial);
        let next = breaker.admit(1, DEADLINE).unwrap().expect("a trial");
        tokio::time::sleep(DEADLINE / 2).await;
        drop(next);
        assert!(breaker.admit(1, DEADLINE).is_err(), "it has waited");
        tokio::time::sleep(TRY_AFTER + TRY_SPREAD).await;
        let last = breaker.admit(1, DEADLINE).unwrap().expect("a trial");
        assert!(last.ends(false) && !breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_part_to_which_nobody_comes_any_more_is_forgotten() {
        let breaker = Breaker::new(1);
        open(&breaker, 1);
        breaker.forget_deserted();
        assert!(breaker.is_open());
        tokio::time::sleep(DESERTED_AFTER + TRY_AFTER + TRY_SPREAD).await;
        breaker.forget_deserted();
        assert!(!breaker.is_open() && breaker.parts.lock().is_empty());
    }

    #[test]
    fn turns_are_those_of_a_part() {
        let breaker = Breaker::new(1);
        let turn = breaker.turns(1).try_acquire_owned();
        assert!(turn.is_ok() && breaker.turns(1).try_acquire().is_err());
        assert!(breaker.turns(2).try_acquire().is_ok());
    }

    #[test]
    fn a_part_that_takes_no_writes_says_nothing_of_the_others() {
        let breaker = Breaker::new(1);
        let now = Uptime::from_millis(1);
        breaker.with(7, |part| part.not_written([1, 2], now));
        breaker.with(8, |part| part.written(now));
        assert_eq!(breaker.unwritten_buckets(), [[1, 2]]);
        assert!(!breaker.with(8, |part| part.may_lack_use(now, now)));
        breaker.with(7, |part| part.written(now));
        assert!(breaker.unwritten_buckets().is_empty());
    }

    #[test]
    fn parts_without_end_are_forgotten_open_ones_last() {
        let breaker = Breaker::new(1);
        open(&breaker, 0);
        for name in 1..3000 {
            breaker.with(name, |part| part.succeeded(Uptime::from_millis(name)));
        }
        assert_eq!(breaker.parts.lock().len(), MOST_PARTS);
        assert!(is_open(&breaker, 0));
        for name in 1..3000 {
            open(&breaker, name);
        }
        assert_eq!(breaker.open.load(Ordering::SeqCst), MOST_PARTS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_ends_after_another_one_has_closed_the_part_opens_nothing() {
        let breaker = Breaker::new(1);
        open(&breaker, 1);
        tokio::time::sleep(TRY_AFTER + TRY_SPREAD).await;
        let first = breaker.admit(1, DEADLINE).unwrap().expect("a trial");
        tokio::time::sleep(Duration::from_secs(4)).await;
        let second = breaker.admit(1, DEADLINE).unwrap().expect("another");
        assert!(first.ends(false) && !second.ends(true));
        assert!(!breaker.is_open() && breaker.with(1, |part| part.gate.is_closed()));
        open(&breaker, 1);
        assert!(is_open(&breaker, 1));
    }
}
