//! The one thread that writes. Whatever waits goes into one transaction: one commit, one sync of the disk,
//! and then all are answered.

use std::io;
use std::sync::Arc;
use std::thread::Builder;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::inner::Inner;
use super::job::Job;
use crate::store::StoreError;
use crate::token::SessionId;

/// Operations in one transaction. A node has no more than a few hundred under way.
const AT_ONCE: usize = 256;
/// What each operation collects: what expires goes faster than what comes, however many come at once.
const COLLECTED_PER_JOB: usize = 2;
/// What a transaction without operations collects.
const COLLECTED_ALONE: usize = 64;
/// How often the writer looks for what has expired while there is nothing else to do,
const IDLE: Duration = Duration::from_secs(1);
/// and while there is more of that than one transaction takes.
const BUSY: Duration = Duration::from_millis(20);
/// How often the time is kept while nothing else is written.
const TIME: Duration = Duration::from_secs(60);
/// How often a file that could not be written is tried again,
const TRIAL: Duration = Duration::from_secs(1);
/// and how many times as long as the last trial took, for reads wait for one.
const TRIAL_SHARE: u32 = 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What the writer is to do.
pub(super) enum Order {
    Run(Box<dyn Job>),
    /// Another thread has met a fault.
    LookAfterTheFile,
    Compact(oneshot::Sender<Result<u64, StoreError>>),
}

pub(super) fn start(inner: &Arc<Inner>) -> io::Result<()> {
    let inner = Arc::clone(inner);
    let thread = Builder::new().name("session-writer".into());
    thread.spawn(move || Writer::new(&inner).run())?;
    Ok(())
}

struct Writer<'i> {
    inner: &'i Inner,
    /// How long to wait for operations.
    pause: Duration,
    time_kept: Instant,
    refusal: Option<Refusal>,
}

/// Why nothing is written at the moment, and until when nothing is tried.
struct Refusal {
    error: StoreError,
    until: Instant,
}

impl<'i> Writer<'i> {
    fn new(inner: &'i Inner) -> Self {
        Self {
            inner,
            pause: IDLE,
            time_kept: Instant::now(),
            refusal: None,
        }
    }

    fn run(mut self) {
        while let Some(orders) = self.inner.writes.take(AT_ONCE, self.pause) {
            let jobs = orders.into_iter().filter_map(|order| self.job(order));
            self.step(jobs.collect());
        }
        // Whoever opens the file again goes on from this time.
        let _ = self.transact(&mut [], true);
    }

    fn job(&self, order: Order) -> Option<Box<dyn Job>> {
        match order {
            Order::Run(job) => Some(job).filter(|job| job.is_wanted()),
            Order::LookAfterTheFile => None,
            Order::Compact(waiter) => {
                let _ = waiter.send(self.inner.disk.compact());
                None
            }
        }
    }

    fn step(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let keeps_time = self.time_kept.elapsed() >= TIME;
        let done = match self.ensure_writable() {
            Ok(()) => self.transact(&mut jobs, keeps_time),
            Err(error) => Err(error),
        };
        jobs.into_iter().for_each(|job| job.finish(&done));
    }

    /// Makes operations in one transaction, and collects a little.
    fn transact(&mut self, jobs: &mut [Box<dyn Job>], keeps_time: bool) -> Result<(), StoreError> {
        let most = match jobs.len() {
            0 => COLLECTED_ALONE,
            count => COLLECTED_PER_JOB * count,
        };
        let (mut collected, mut announced) = (0, Vec::new());
        let committed = self.inner.transact(&mut announced, |transaction| {
            jobs.iter_mut().try_for_each(|job| job.run(transaction))?;
            collected = transaction.collect(most)?;
            transaction.is_dirty |= keeps_time;
            Ok(())
        });
        // There may be more, and operations that come now and then must not put that off.
        self.pause = if collected == most { BUSY } else { IDLE };
        self.conclude(committed, keeps_time, announced)
    }

    /// Announces before anybody is answered. What could not be committed may be on the disk all the same.
    fn conclude(
        &mut self,
        committed: Result<(), StoreError>,
        keeps_time: bool,
        announced: Vec<SessionId>,
    ) -> Result<(), StoreError> {
        match &committed {
            Ok(()) if keeps_time => self.time_kept = Instant::now(),
            Ok(()) => {}
            // At once, so that reads go on.
            Err(error) => drop(self.reopen().map(|took| self.refuse(error.clone(), took))),
        }
        self.inner.feeds.announce(announced);
        committed
    }

    /// Fails while the file cannot be written. Tries it again from time to time.
    fn ensure_writable(&mut self) -> Result<(), StoreError> {
        if let Some(refusal) = self.refusal.as_ref().filter(|r| Instant::now() < r.until) {
            return Err(refusal.error.clone());
        }
        if self.inner.disk.is_faulty() {
            self.reopen()?;
        }
        let (disk, began) = (&self.inner.disk, Instant::now());
        // On a full disk nothing more is tried: reads would wait for the file to be opened anew.
        let tried = disk.look_at_name().and_then(|()| match self.refusal {
            Some(_) => disk.try_room(),
            None => Ok(()),
        });
        let tried = tried.and_then(|()| disk.ensure_synced());
        tried.map_err(|error| self.refuse(error, began.elapsed()))?;
        self.refusal = None;
        Ok(())
    }

    /// Opens the file anew; how long that took.
    fn reopen(&mut self) -> Result<Duration, StoreError> {
        let began = Instant::now();
        match self.inner.disk.reopen() {
            Ok(()) => Ok(began.elapsed()),
            Err(error) => Err(self.refuse(StoreError::unavailable(error), began.elapsed())),
        }
    }

    fn refuse(&mut self, error: StoreError, trial_took: Duration) -> StoreError {
        let pause = (TRIAL_SHARE * trial_took).clamp(TRIAL, LONGEST_PAUSE);
        self.refusal = Some(Refusal {
            error: error.clone(),
            until: Instant::now() + pause,
        });
        error
    }
}
