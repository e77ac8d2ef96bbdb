use std::future::{Future, pending};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::store::StoreError;
use crate::sync::Lock;

mod store;

pub use self::store::ChaosStore;

/// What a [`ChaosStore`] does wrong at the moment. Clones control the same stores.
///
/// Several faults may hold at the same time. Chance is reproducible: the same seed and the same
/// order of operations give the same failures.
#[derive(Clone, Debug)]
pub struct Chaos(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    faults: Lock<Faults>,
    seed: AtomicU64,
    /// Whether links are cut.
    cut: watch::Sender<bool>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    latency: Duration,
    errors_percent: u8,
    hangs: bool,
    loses_writes: bool,
    refuses_writes: bool,
    loses_answers: bool,
}

impl Chaos {
    /// No faults yet; `seed` decides which operations fail by chance.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Inner {
            faults: Lock::default(),
            seed: AtomicU64::new(seed),
            cut: watch::Sender::new(false),
        }))
    }

    /// Delays every operation, on tokio's clock.
    pub fn delay(&self, latency: Duration) {
        self.faults().latency = latency;
    }

    /// Fails so many of a hundred operations, before they have any effect; 100 is an outage.
    pub fn fail(&self, percent: u8) {
        self.faults().errors_percent = percent;
    }

    /// Answers no operation; one that hangs does so until it is dropped.
    pub fn hang(&self) {
        self.faults().hangs = true;
    }

    /// Acknowledges writes and loses them, as a failover does with the last ones.
    pub fn lose_writes(&self) {
        self.faults().loses_writes = true;
    }

    /// Answers reads and refuses writes, as a Redis does that is full or cannot save.
    pub fn refuse_writes(&self) {
        self.faults().refuses_writes = true;
    }

    /// Runs the operation and then fails, as a connection does that breaks before the answer.
    pub fn lose_answers(&self) {
        self.faults().loses_answers = true;
    }

    /// Ends all links, and refuses new ones.
    pub fn cut_links(&self) {
        self.0.cut.send_replace(true);
    }

    /// Ends all faults.
    pub fn calm(&self) {
        *self.faults() = Faults::default();
        self.0.cut.send_replace(false);
    }

    /// Runs an operation with the faults of the moment.
    async fn disturb<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let faults = *self.faults();
        if faults.hangs {
            pending::<()>().await;
        }
        if !faults.latency.is_zero() {
            sleep(faults.latency).await;
        }
        if self.chance() < u64::from(faults.errors_percent) {
            return Err(injected("the operation was not done"));
        }
        let answer = operation.await;
        if faults.loses_answers {
            return Err(injected("the answer was lost"));
        }
        answer
    }

    fn refuses_writes(&self) -> bool {
        self.faults().refuses_writes
    }

    fn loses_writes(&self) -> bool {
        self.faults().loses_writes
    }

    /// A number below 100, by SplitMix64.
    fn chance(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        // Relaxed: each operation needs a number of its own, and reads nothing else by it.
        let seed = self.0.seed.fetch_add(STEP, Ordering::Relaxed);
        let mut mixed = seed.wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.0.faults.lock()
    }
}

fn injected(what: &'static str) -> StoreError {
    StoreError::unavailable(format!("chaos: {what}"))
}
