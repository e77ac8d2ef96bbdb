use std::sync::atomic::{AtomicU64, Ordering};

/// Orders questions to the store against what happens on this node meanwhile.
///
/// A clock would do, if no two things ever happened within one of its ticks.
pub(super) struct Sequence(AtomicU64);

impl Sequence {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(1))
    }

    /// The number of a question that is asked now.
    pub(super) fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Separates what came before from what comes now: earlier questions have smaller numbers
    /// than the one returned, later ones do not.
    pub(super) fn advance(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}
