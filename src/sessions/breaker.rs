use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::node::Node;
use crate::outage::OutageLog;
use crate::store::{SessionStore, StoreError, StoreErrorKind, Timestamp};
use crate::{meter, trace};

/// Failures in a row that open the breaker,
const IN_A_ROW: u32 = 5;
/// or among the last [`REMEMBERED`] answers.
const IN_ALL: u32 = 10;
const REMEMBERED: u32 = 20;
/// Between two probes at an open breaker, evenly spread so that the nodes of a fleet take turns.
const PROBE_AFTER: Duration = Duration::from_millis(200);
const PROBE_SPREAD: Duration = Duration::from_millis(800);
/// For how long after an outage uses from within it may still be on their way to the store.
const LATE_TOUCHES: Duration = Duration::from_secs(5);

/// Knows when the store is down, so that nobody waits for it then.
#[derive(Default)]
pub(super) struct Breaker {
    is_open: AtomicBool,
    answers: Mutex<Answers>,
    /// What operators were told.
    log: Mutex<OutageLog>,
}

/// The store's last answers.
#[derive(Default)]
struct Answers {
    /// One bit each, the newest is the lowest; set where the store failed.
    failures: u32,
    outage: Option<Outage>,
}

/// The last time span in which the store could not tell, on the fleet's clock.
#[derive(Clone, Copy)]
struct Outage {
    from: Timestamp,
    /// `None` while it lasts.
    until: Option<Timestamp>,
}

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Notes that the store has answered; an open breaker is closed by a probe only.
    pub(super) fn answered(&self, now: Timestamp) {
        if !self.is_open() {
            self.answers().answered(now);
        }
    }

    /// Notes that the store has failed; `true` if that opens the breaker.
    pub(super) fn failed(&self, now: Timestamp) -> bool {
        let mut answers = self.answers();
        answers.failed(now);
        answers.are_too_bad() && !self.is_open.swap(true, Ordering::AcqRel)
    }

    pub(super) fn close(&self, now: Timestamp) {
        let mut answers = self.answers();
        answers.failures = 0;
        answers.answered(now);
        self.is_open.store(false, Ordering::Release);
    }

    /// Whether a session that the store takes for idle since `idle_at` may have been used in an
    /// outage, and the store be told of it any moment now.
    pub(super) fn may_be_touched(&self, idle_at: Timestamp, now: Timestamp) -> bool {
        self.answers().outage.is_some_and(|outage| {
            let ended = outage.until.unwrap_or(now);
            idle_at >= outage.from && now < ended.after(LATE_TOUCHES)
        })
    }

    /// Tells operators when the store begins to fail and when that is over.
    pub(super) fn report<T>(&self, answer: &Result<T, StoreError>) {
        let now = Instant::now();
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                trace::store_failed(error, log.fails(now));
            }
            // Of one record, not of the store.
            Err(error) => trace::store_failed(error, false),
            Ok(_) => {
                if let Some(over) = log.succeeds(now) {
                    trace::store_is_back(over);
                }
            }
        }
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    fn answered(&mut self, now: Timestamp) {
        self.failures <<= 1;
        if let Some(outage) = &mut self.outage {
            outage.until.get_or_insert(now);
        }
    }

    fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures << 1 | 1;
        if self.outage.is_none_or(|outage| outage.until.is_some()) {
            self.outage = Some(Outage {
                from: now,
                until: None,
            });
        }
    }

    const fn are_too_bad(&self) -> bool {
        let remembered = self.failures & ((1 << REMEMBERED) - 1);
        remembered.trailing_ones() >= IN_A_ROW || remembered.count_ones() >= IN_ALL
    }
}

impl<S: SessionStore> Node<S> {
    /// Fails at once while the store is known to be down.
    pub(super) fn unless_down(self: &Arc<Self>) -> Result<(), StoreError> {
        if !self.breaker.is_open() {
            return Ok(());
        }
        self.probe();
        Err(StoreError::new(StoreErrorKind::Unavailable).caused_by("the breaker is open"))
    }

    /// Notes what a question to the store came to.
    pub(super) fn note_answer<T>(self: &Arc<Self>, answer: &Result<T, StoreError>) {
        let now = self.clock.now();
        self.breaker.report(answer);
        let has_failed = |error: &StoreError| error.kind() == StoreErrorKind::Unavailable;
        if !answer.as_ref().is_err_and(has_failed) {
            self.breaker.answered(now);
        } else if self.breaker.failed(now) {
            trace::breaker_opened();
            meter::breaker(true);
            self.probe();
        }
    }

    /// Tries the store until it answers, unless somebody does.
    fn probe(self: &Arc<Self>) {
        let node = Arc::downgrade(self);
        self.background.prober.start(|| probe(node));
    }
}

async fn probe<S: SessionStore>(node: Weak<Node<S>>) {
    loop {
        sleep(pause()).await;
        let Some(node) = node.upgrade() else {
            return;
        };
        let answer = timeout(node.config.store_deadline, node.store.now()).await;
        if let Ok(Ok(_)) = answer {
            node.breaker.close(node.clock.now());
            meter::breaker(false);
            return trace::breaker_closed();
        }
    }
}

fn pause() -> Duration {
    let mut random = [0];
    // Without randomness all nodes probe at the same time, and that is all.
    let _ = getrandom::fill(&mut random);
    PROBE_AFTER + PROBE_SPREAD * u32::from(random[0]) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    /// Notes answers, `x` for a failure; whether the last one opens the breaker.
    fn opens(answers: &str) -> bool {
        let breaker = Breaker::default();
        let mut opened = false;
        for answer in answers.chars() {
            assert!(!opened, "opened before the last of {answers}");
            match answer {
                'x' => opened = breaker.failed(at(0)),
                _ => breaker.answered(at(0)),
            }
        }
        assert_eq!(breaker.is_open(), opened);
        opened
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        assert!(opens("xxxxx"));
        assert!(opens(".xxxx.xxxxx"));
        assert!(!opens("xxxx.xxxx"));
    }

    #[test]
    fn half_of_the_last_twenty_open_it() {
        assert!(opens("x.x.x.x.x.x.x.x.x.x"));
        assert!(!opens("x..x..x..x..x..x..x..x..x..x..x..x"));
    }

    #[test]
    fn only_a_probe_closes_it_and_all_is_forgotten() {
        let breaker = Breaker::default();
        while !breaker.failed(at(0)) {}
        assert!(!breaker.failed(at(0)), "it opens once");
        breaker.answered(at(0));
        assert!(breaker.is_open());
        breaker.close(at(0));
        for _ in 1..IN_A_ROW {
            assert!(!breaker.failed(at(0)));
        }
    }

    #[test]
    fn who_got_idle_in_an_outage_is_given_five_seconds_after_it() {
        let breaker = Breaker::default();
        assert!(!breaker.may_be_touched(at(100), at(100)));
        breaker.failed(at(100));
        breaker.failed(at(110));
        assert!(breaker.may_be_touched(at(100), at(200)));
        breaker.answered(at(200));
        breaker.answered(at(202));
        assert!(!breaker.may_be_touched(at(99), at(204)), "idle before it");
        assert!(breaker.may_be_touched(at(100), at(204)));
        assert!(
            !breaker.may_be_touched(at(100), at(205)),
            "that was long enough"
        );
    }
}
