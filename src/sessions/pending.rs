use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep};

use super::node::Node;
use crate::observe::{meter, trace};
use crate::store::SessionStore;

/// For how long revocations that wait for the store outlive the last handle.
const OUTLIVE_HANDLES: Duration = Duration::from_secs(60);
/// How often that is looked after.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Revocations under way, and those that wait for a store that could not be told.
pub(super) struct Pending {
    room: Arc<Semaphore>,
    counts: Arc<Counts>,
}

struct Counts {
    under_way: watch::Sender<u32>,
    /// Those that were answered as pending.
    waiting: AtomicU32,
    /// Of those, the ones that nobody will tell the store.
    lost: AtomicU32,
    /// Whether those that wait are to end.
    are_given_up: AtomicBool,
}

impl Pending {
    pub(super) fn new(most: usize) -> Self {
        let counts = Counts {
            under_way: watch::Sender::new(0),
            waiting: AtomicU32::new(0),
            lost: AtomicU32::new(0),
            are_given_up: AtomicBool::new(false),
        };
        Self {
            room: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            counts: Arc::new(counts),
        }
    }

    /// The right to have one more revocation pending.
    pub(super) fn enter(&self) -> Option<Place> {
        let permit = Arc::clone(&self.room).try_acquire_owned().ok()?;
        self.counts.under_way.send_modify(|count| *count += 1);
        Some(Place {
            counts: Arc::clone(&self.counts),
            is_waiting: false,
            _permit: permit,
        })
    }

    /// How many wait for the store.
    pub(super) fn waiting(&self) -> u32 {
        self.counts.waiting.load(Ordering::Relaxed)
    }

    /// Waits until there is none. Others may begin meanwhile.
    pub(super) async fn flush(&self) {
        let mut under_way = self.counts.under_way.subscribe();
        // An error would mean that the counts are gone.
        let _ = under_way.wait_for(|count| *count == 0).await;
    }

    pub(super) fn are_given_up(&self) -> bool {
        self.counts.are_given_up.load(Ordering::Relaxed)
    }
}

/// The place of one revocation. What waits is lost with its place, unless it is settled first.
pub(super) struct Place {
    counts: Arc<Counts>,
    is_waiting: bool,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// The store is told later.
    pub(super) fn wait(&mut self) {
        self.is_waiting = true;
        let before = self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        meter::pending_revocations(before + 1);
    }

    /// The store was told, or has refused.
    pub(super) fn settle(mut self) {
        self.leave();
    }

    /// Whether it was waiting.
    fn leave(&mut self) -> bool {
        if self.is_waiting {
            let before = self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            meter::pending_revocations(before - 1);
        }
        std::mem::take(&mut self.is_waiting)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.leave() {
            self.counts.lost.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.under_way.send_modify(|count| *count -= 1);
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

impl<S: SessionStore> Node<S> {
    /// Keeps the node while revocations wait for the store, also without a handle, for a while.
    pub(super) fn keep(self: &Arc<Self>) {
        let node = Arc::clone(self);
        self.background.keeper.start(|| keep(node));
    }

    /// Whether the last handle is gone.
    fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.handles) == 1
    }
}

async fn keep<S: SessionStore>(node: Arc<Node<S>>) {
    let pending = &node.background.revocations;
    let mut abandoned = None;
    while pending.waiting() > 0 {
        if abandoned.is_none() && node.is_abandoned() {
            // Nobody can make another handle from now on.
            abandoned = Some(Instant::now());
        }
        if abandoned.is_some_and(|since: Instant| since.elapsed() >= OUTLIVE_HANDLES) {
            pending.counts.are_given_up.store(true, Ordering::Relaxed);
            return;
        }
        sleep(LOOK_AFTER).await;
    }
}
