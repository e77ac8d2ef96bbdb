use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::rounds::{Rounds, UnderWay};
use super::turns::Turns;
use crate::observe::{meter, trace};
use crate::store::Revoke;
use crate::sync::Lock;

/// Revocations under way, and those that wait for a store that was unavailable.
pub(super) struct Pending {
    room: Arc<Semaphore>,
    rounds: Arc<Rounds>,
    /// Those whose writer ended with its runtime.
    without_writer: Lock<Vec<Waiting>>,
    /// Whoever writes one takes a turn of these before it takes hold of the node.
    pub(super) turns: Turns,
    counts: Arc<Counts>,
}

// Relaxed throughout: each is a value by itself, and a look that is late is made again.
struct Counts {
    /// Those that were answered as pending.
    waiting: AtomicU32,
    /// Of those, the ones that nobody will write.
    lost: AtomicU32,
    /// Whether those that wait are to end.
    are_given_up: AtomicBool,
}

impl Pending {
    pub(super) fn new(most: usize) -> Self {
        let counts = Counts {
            waiting: AtomicU32::new(0),
            lost: AtomicU32::new(0),
            are_given_up: AtomicBool::new(false),
        };
        Self {
            room: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            rounds: Arc::default(),
            without_writer: Lock::default(),
            turns: Turns::default(),
            counts: Arc::new(counts),
        }
    }

    /// The right to have one more revocation pending, if there is room.
    pub(super) fn enter(&self) -> Option<Permit> {
        let permit = Arc::clone(&self.room).try_acquire_owned().ok()?;
        Some(Permit {
            counts: Arc::clone(&self.counts),
            is_waiting: false,
            _permit: permit,
            _under_way: self.rounds.enter(),
        })
    }

    /// How many wait for the store.
    pub(super) fn waiting(&self) -> u32 {
        self.counts.waiting.load(Ordering::Relaxed)
    }

    /// Leaves one to the next writer.
    pub(super) fn leave_without_writer(&self, waiting: Waiting) {
        self.without_writer.lock().push(waiting);
    }

    /// Those that have no writer: the caller writes them.
    pub(super) fn take_without_writer(&self) -> Vec<Waiting> {
        mem::take(&mut self.without_writer.lock())
    }

    /// Whether none is under way or waits.
    pub(super) fn are_written(&self) -> bool {
        self.rounds.are_over()
    }

    /// Waits until those that were begun before the call are written, or refused.
    pub(super) fn flush(&self) -> impl Future<Output = ()> + Send + use<> {
        self.rounds.flush()
    }

    /// Has those that wait end: nobody is left who could want them.
    pub(super) fn give_up(&self) {
        self.counts.are_given_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn are_given_up(&self) -> bool {
        self.counts.are_given_up.load(Ordering::Relaxed)
    }
}

/// A revocation that waits for the store.
pub(super) struct Waiting {
    pub(super) revoke: Revoke,
    pub(super) since: Instant,
    pub(super) permit: Permit,
}

/// The right to have one revocation pending. What waits is lost with it, unless it is settled first.
pub(super) struct Permit {
    counts: Arc<Counts>,
    is_waiting: bool,
    _permit: OwnedSemaphorePermit,
    _under_way: UnderWay,
}

impl Permit {
    /// It is written later.
    pub(super) fn wait(&mut self) {
        self.is_waiting = true;
        let before = self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        meter::pending_revocations(before + 1);
    }

    /// It was written, or the store has refused.
    pub(super) fn settle(mut self) {
        self.leave();
    }

    /// Whether it was waiting.
    fn leave(&mut self) -> bool {
        if self.is_waiting {
            let before = self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            meter::pending_revocations(before - 1);
        }
        mem::take(&mut self.is_waiting)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.leave() {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// With the node and the last of its revocations.
impl Drop for Counts {
    fn drop(&mut self) {
        let lost = *self.lost.get_mut();
        if lost > 0 {
            trace::revocations_lost(lost);
        }
    }
}
