use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
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
const PROBE_SPREAD: Duration = Duration::from_millis(400);
/// After this long without a probe the next request has another task see to it.
const PROBE_OVERDUE: Duration = Duration::from_secs(3);
/// For how long after an outage uses from within it may still be on their way to the store.
const LATE_TOUCHES: Duration = Duration::from_secs(5);

/// Knows when the store is down, so that nobody waits for it then.
#[derive(Default)]
pub(super) struct Breaker {
    is_open: AtomicBool,
    answers: Mutex<Answers>,
    /// What operators were told.
    log: Mutex<OutageLog>,
    /// Rung when it closes.
    closed: Arc<Notify>,
}

/// The store's last answers.
#[derive(Default)]
struct Answers {
    /// One bit for each answer to a question, the newest is the lowest; set where it failed.
    failures: u32,
    last_success: Timestamp,
    outage: Option<Outage>,
    /// When the store was tried last, or when it was left to a task to do so.
    last_probe: Option<Instant>,
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

    /// Notes what a question came to; `true` if that opens the breaker. A probe alone closes it.
    fn asked(&self, has_failed: bool, now: Timestamp) -> bool {
        let mut answers = self.answers();
        if self.is_open() {
            return false;
        }
        answers.note(has_failed, now);
        answers.failures = answers.failures << 1 | u32::from(has_failed);
        let opens = answers.are_too_bad();
        if opens {
            answers.last_probe = Some(Instant::now());
        }
        self.is_open.store(opens, Ordering::Release);
        opens
    }

    /// Notes what an order came to. A store that can only be read still serves checks, so this
    /// opens nothing; but uses do not reach it.
    fn told(&self, has_failed: bool, now: Timestamp) {
        let mut answers = self.answers();
        if !self.is_open() {
            answers.note(has_failed, now);
        }
    }

    fn close(&self, now: Timestamp) {
        let mut answers = self.answers();
        answers.failures = 0;
        answers.note(false, now);
        self.is_open.store(false, Ordering::Release);
        self.closed.notify_waiters();
    }

    /// Ends when the breaker closes. Whoever waits holds no node for that.
    pub(super) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let closed = Arc::clone(&self.closed);
        async move { closed.notified().await }
    }

    /// Whether nobody has tried the store for longer than a task that runs takes. Says so to one
    /// who asks, and to the next only when that one is overdue too.
    fn is_probe_overdue(&self, store_deadline: Duration) -> bool {
        let last_probe = &mut self.answers().last_probe;
        let overdue = PROBE_OVERDUE.saturating_add(store_deadline);
        let is_overdue = last_probe.is_some_and(|at| at.elapsed() > overdue);
        if is_overdue {
            *last_probe = Some(Instant::now());
        }
        is_overdue
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
    fn note(&mut self, has_failed: bool, now: Timestamp) {
        match &mut self.outage {
            Some(outage) if !has_failed => {
                outage.until.get_or_insert(now);
            }
            // A straggler: touches that wait for the end of the outage still do.
            Some(outage) if outage.until.is_none_or(|end| now < end.after(LATE_TOUCHES)) => {
                outage.until = None;
            }
            _ if has_failed => {
                self.outage = Some(Outage {
                    from: self.last_success,
                    until: None,
                });
            }
            _ => {}
        }
        if !has_failed {
            self.last_success = now;
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
    pub(super) fn note_question<T>(self: &Arc<Self>, answer: &Result<T, StoreError>) {
        self.breaker.report(answer);
        if self.breaker.asked(has_failed(answer), self.clock.now()) {
            trace::breaker_opened();
            meter::breaker(true);
            self.probe();
        }
    }

    /// Notes what an order to the store came to.
    pub(super) fn note_order<T>(&self, answer: &Result<T, StoreError>) {
        self.breaker.report(answer);
        self.breaker.told(has_failed(answer), self.clock.now());
    }

    /// Tries the store until it answers, unless somebody does.
    fn probe(self: &Arc<Self>) {
        let node = Arc::downgrade(self);
        let prober = &self.background.prober;
        // Its runtime may be one that nobody drives any more.
        if self.breaker.is_probe_overdue(self.config.store_deadline) {
            prober.restart(|| probe(node));
        } else {
            prober.start(|| probe(node));
        }
    }
}

async fn probe<S: SessionStore>(node: Weak<Node<S>>) {
    while let Some(alive) = node.upgrade() {
        alive.breaker.answers().last_probe = Some(Instant::now());
        drop(alive);
        sleep(pause()).await;
        let Some(node) = node.upgrade() else {
            return;
        };
        let answer = timeout(node.config.store_deadline, node.store.now()).await;
        if let Ok(Ok(_)) = answer {
            node.breaker.close(node.clock.now());
            meter::breaker(node.breaker.is_open());
            return trace::breaker_closed();
        }
    }
}

fn has_failed<T>(answer: &Result<T, StoreError>) -> bool {
    let error = answer.as_ref().err();
    error.is_some_and(|error| error.kind() == StoreErrorKind::Unavailable)
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
            opened = breaker.asked(answer == 'x', at(0));
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
        while !breaker.asked(true, at(0)) {}
        assert!(!breaker.asked(true, at(0)), "it opens once");
        breaker.asked(false, at(0));
        assert!(breaker.is_open());
        breaker.close(at(0));
        for _ in 1..IN_A_ROW {
            assert!(!breaker.asked(true, at(0)));
        }
    }

    #[test]
    fn orders_that_fail_open_nothing() {
        let breaker = Breaker::default();
        for _ in 0..100 {
            breaker.told(true, at(0));
        }
        assert!(!breaker.is_open());
    }

    #[test]
    fn who_got_idle_since_the_last_success_is_given_five_seconds_after_the_outage() {
        let question = |breaker: &Breaker, now| {
            breaker.asked(true, now);
        };
        let order = |breaker: &Breaker, now| breaker.told(true, now);
        for fails in [question, order] {
            let breaker = Breaker::default();
            breaker.asked(false, at(100));
            assert!(!breaker.may_be_touched(at(100), at(100)));
            fails(&breaker, at(110));
            fails(&breaker, at(120));
            assert!(breaker.may_be_touched(at(100), at(200)));
            breaker.asked(false, at(200));
            breaker.asked(false, at(202));
            assert!(!breaker.may_be_touched(at(99), at(204)), "idle before it");
            assert!(breaker.may_be_touched(at(100), at(204)));
            assert!(
                !breaker.may_be_touched(at(100), at(205)),
                "that was long enough"
            );
        }
    }

    #[test]
    fn a_straggler_belongs_to_the_outage_that_seemed_over() {
        let breaker = Breaker::default();
        breaker.asked(true, at(100));
        breaker.asked(false, at(200));
        breaker.asked(true, at(201));
        breaker.asked(false, at(202));
        assert!(breaker.may_be_touched(at(150), at(206)));
        assert!(!breaker.may_be_touched(at(150), at(207)));
    }
}
