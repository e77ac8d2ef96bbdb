use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::node::Node;
use crate::store::{SessionStore, StoreError, StoreErrorKind, Timestamp, Touch};
use crate::time::{Moment, Uptime};

/// For how long a write that was done shows that the store can be written.
const SHOWN_FOR: Duration = Duration::from_secs(1);
/// For how long after writes failed uses from that time may still be on their way to the store.
const LATE_TOUCHES: Duration = Duration::from_secs(5);

/// What this node knows of whether the store can be written: one that is full, or whose disk or
/// replicas are gone, still reads.
#[derive(Default)]
pub(super) struct Writes(Mutex<Known>);

#[derive(Default)]
struct Known {
    last_done: Timestamp,
    /// When something new was written, unless a write has failed since.
    shown_at: Option<Uptime>,
    failure: Option<Failure>,
}

/// The last time span in which no write was done.
#[derive(Clone, Copy)]
struct Failure {
    from: Timestamp,
    /// `None` while it lasts.
    until: Option<Timestamp>,
}

impl Writes {
    /// Notes that something new was written.
    pub(super) fn done(&self, now: Moment) {
        self.touched(now.fleet);
        self.lock().shown_at = Some(now.local);
    }

    /// Notes that a use was written. A full server takes that, and nothing new.
    fn touched(&self, now: Timestamp) {
        let mut known = self.lock();
        known.last_done = now;
        if let Some(failure) = &mut known.failure {
            failure.until.get_or_insert(now);
        }
    }

    /// Notes a write that failed.
    fn failed(&self, now: Timestamp) {
        let mut known = self.lock();
        known.shown_at = None;
        let from = known.last_done;
        match &mut known.failure {
            // Touches that wait for its end still do.
            Some(failure) if failure.is_felt(now) => failure.until = None,
            failure => *failure = Some(Failure { from, until: None }),
        }
    }

    /// Whether something new was written a moment ago.
    fn are_shown(&self, now: Uptime) -> bool {
        let shown_at = self.lock().shown_at;
        shown_at.is_some_and(|at| now.since(at) < SHOWN_FOR)
    }

    /// Whether a session that the store takes for idle since `idle_at` may have been used since
    /// without the store being told.
    fn may_be_touched(&self, idle_at: Timestamp, now: Timestamp) -> bool {
        let failure = self.lock().failure;
        failure.is_some_and(|failure| idle_at >= failure.from && failure.is_felt(now))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure {
    fn is_felt(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|end| now < end.after(LATE_TOUCHES))
    }
}

impl<S: SessionStore> Node<S> {
    /// Notes what a touch came to. One that another node's covers was not written.
    pub(super) fn note_touch(&self, touch: &Touch, told: &Result<Option<Timestamp>, StoreError>) {
        let written = touch
            .used_at
            .after(self.config.idle_timeout)
            .after(touch.slack);
        match told {
            Ok(Some(deadline)) if *deadline == written => self.writes.touched(self.clock.now()),
            _ => self.note_failed_write(told),
        }
    }

    pub(super) fn note_failed_write<T>(&self, written: &Result<T, StoreError>) {
        let error = written.as_ref().err();
        if error.is_some_and(|error| error.kind() == StoreErrorKind::Unavailable) {
            self.writes.failed(self.clock.now());
        }
    }

    /// Whether uses from the time when the store took a session for idle may be on their way to it.
    pub(super) fn may_be_touched(&self, idle_at: Timestamp) -> bool {
        let now = self.clock.now();
        self.breaker.may_be_touched(idle_at, now) || self.writes.may_be_touched(idle_at, now)
    }

    /// Fails unless the store can be written: it has been within the last second, or is now.
    pub(super) async fn ensure_writable(self: &Arc<Self>) -> Result<(), StoreError> {
        if self.writes.are_shown(self.clock.uptime()) {
            return Ok(());
        }
        let written = self.tell(self.store.writable()).await;
        match &written {
            Ok(()) => self.writes.done(self.clock.read()),
            Err(_) => self.note_failed_write(&written),
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    const fn moment(secs: u64) -> Moment {
        Moment {
            fleet: at(secs),
            local: Uptime::from_millis(secs * 1000),
        }
    }

    #[test]
    fn a_write_shows_for_a_second_that_the_store_can_be_written_unless_one_fails() {
        let writes = Writes::default();
        let shown = |millis| writes.are_shown(Uptime::from_millis(millis));
        assert!(!shown(0));
        writes.done(moment(1));
        assert!(shown(1000) && shown(1999) && !shown(2000));
        writes.failed(at(1));
        assert!(!shown(1000));
        writes.touched(at(1));
        assert!(!shown(1000), "a full server takes uses");
        writes.done(moment(1));
        assert!(shown(1000));
    }

    #[test]
    fn who_got_idle_since_the_last_write_is_given_five_seconds_after_the_next() {
        let writes = Writes::default();
        writes.done(moment(100));
        assert!(!writes.may_be_touched(at(100), at(100)));
        writes.failed(at(200));
        writes.failed(at(300));
        assert!(writes.may_be_touched(at(100), at(900)));
        assert!(!writes.may_be_touched(at(99), at(900)), "idle before it");
        writes.touched(at(900));
        writes.done(moment(902));
        assert!(writes.may_be_touched(at(100), at(904)));
        assert!(!writes.may_be_touched(at(100), at(905)));
        writes.failed(at(910));
        assert!(!writes.may_be_touched(at(901), at(911)), "another failure");
        assert!(writes.may_be_touched(at(902), at(911)));
    }

    #[test]
    fn a_node_that_has_written_nothing_yet_knows_of_no_time_when_it_worked() {
        let writes = Writes::default();
        writes.failed(at(200));
        assert!(writes.may_be_touched(at(0), at(200)));
    }
}
