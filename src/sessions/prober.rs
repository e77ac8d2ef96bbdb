use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::breaker::Place;
use super::node::Node;
use crate::observe::{meter, trace};
use crate::store::{SessionStore, StoreError, StoreErrorKind};
use crate::task::Task;

/// Between two probes at an open breaker, evenly spread so that the nodes of a fleet take turns.
const PROBE_AFTER: Duration = Duration::from_millis(200);
const PROBE_SPREAD: Duration = Duration::from_millis(400);
/// After this long without a probe the next request has another task see to it.
const PROBE_OVERDUE: Duration = Duration::from_secs(3);

/// Tries the parts of the store that are down, until none is.
#[derive(Default)]
pub(super) struct Prober {
    task: Task,
    /// When the store was tried last, or when it was left to a task to do so.
    last_probe: Mutex<Option<Instant>>,
}

impl Prober {
    /// Whether nobody has tried the store for longer than a task that runs takes. Says so to one
    /// who asks, and to the next only when that one is overdue too.
    fn is_overdue(&self, store_deadline: Duration) -> bool {
        let mut last_probe = self.last_probe();
        let overdue = PROBE_OVERDUE.saturating_add(store_deadline);
        let is_overdue = last_probe.is_some_and(|at| at.elapsed() > overdue);
        if is_overdue {
            *last_probe = Some(Instant::now());
        }
        is_overdue
    }

    fn note_probe(&self) {
        *self.last_probe() = Some(Instant::now());
    }

    fn last_probe(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.last_probe
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: SessionStore> Node<S> {
    /// Where the store keeps a bucket; `None` stands for what concerns no bucket.
    pub(super) fn place(&self, bucket: Option<[u8; 2]>) -> Place {
        Place {
            part: bucket.map_or(0, |bucket| self.store.part(bucket)),
            bucket,
        }
    }

    /// Fails at once while that part of the store is known to be down.
    pub(super) fn unless_down(self: &Arc<Self>, place: Place) -> Result<(), StoreError> {
        if !self.breaker.is_open_at(place.part) {
            return Ok(());
        }
        self.probe();
        Err(StoreError::new(StoreErrorKind::Unavailable).caused_by("the breaker is open"))
    }

    /// Notes what a question to the store came to.
    pub(super) fn note_question<T>(self: &Arc<Self>, place: Place, answer: &Result<T, StoreError>) {
        self.breaker.report(place.part, answer);
        let now = self.clock.now();
        if self.breaker.asked(place, has_failed(answer), now) {
            trace::breaker_opened();
            meter::breaker(true);
            self.background.prober.note_probe();
            self.probe();
        }
    }

    /// Notes what an order to the store came to.
    pub(super) fn note_order<T>(&self, place: Place, answer: &Result<T, StoreError>) {
        self.breaker.report(place.part, answer);
        let now = self.clock.now();
        self.breaker.told(place, has_failed(answer), now);
    }

    /// Tries what is down of the store until it answers, unless somebody does.
    fn probe(self: &Arc<Self>) {
        let node = Arc::downgrade(self);
        let prober = &self.background.prober;
        // Its runtime may be one that nobody drives any more.
        if prober.is_overdue(self.config.store_deadline) {
            prober.task.restart(|| probe(node));
        } else {
            prober.task.start(|| probe(node));
        }
    }

    /// Tries one part.
    async fn try_part(self: Arc<Self>, place: Place) {
        let reach = async {
            match place.bucket {
                Some(bucket) if self.store.part(bucket) == place.part => {
                    self.store.reach(bucket).await
                }
                // About no bucket, or about one whose server was not known then.
                _ => self.store.now().await.map(drop),
            }
        };
        if let Ok(Ok(())) = timeout(self.config.store_deadline, reach).await {
            self.breaker.close(place.part, self.clock.now());
            meter::breaker(self.breaker.is_open());
            trace::breaker_closed();
        }
    }
}

/// Tries all parts that are down at once, each for one store deadline: none waits for another.
async fn probe<S: SessionStore>(node: Weak<Node<S>>) {
    while let Some(alive) = node.upgrade() {
        alive.background.prober.note_probe();
        drop(alive);
        sleep(pause()).await;
        let Some(node) = node.upgrade() else {
            return;
        };
        let places = node.breaker.open_places().into_iter();
        let probes: JoinSet<()> = places
            .map(|place| Arc::clone(&node).try_part(place))
            .collect();
        probes.join_all().await;
        if !node.breaker.is_open() {
            return;
        }
    }
}

/// Whether the store could not do what it was asked; other failures are those of one record.
pub(super) fn has_failed<T>(answer: &Result<T, StoreError>) -> bool {
    let error = answer.as_ref().err();
    error.is_some_and(|error| error.kind() == StoreErrorKind::Unavailable)
}

fn pause() -> Duration {
    let mut random = [0];
    // Without randomness all nodes probe at the same time, and that is all.
    let _ = getrandom::fill(&mut random);
    PROBE_AFTER + PROBE_SPREAD * u32::from(random[0]) / u32::from(u8::MAX)
}
