use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::node::Node;
use crate::store::{SessionStore, StoreError, StoreErrorKind, Timestamp};
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
    last_done: Option<(Timestamp, Uptime)>,
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
    /// Notes a write that was done.
    pub(super) fn done(&self, now: Moment) {
        let mut known = self.lock();
        known.last_done = Some((now.fleet, now.local));
        if let Some(failure) = &mut known.failure {
            failure.until.get_or_insert(now.fleet);
        }
    }

    /// Notes a write that failed.
    fn failed(&self, now: Timestamp) {
        let mut known = self.lock();
        let from = known.last_done.map(|(at, _)| at).unwrap_or_default();
        match &mut known.failure {
            // Touches that wait for its end still do.
            Some(failure) if failure.is_felt(now) => failure.until = None,
            failure => *failure = Some(Failure { from, until: None }),
        }
    }

    /// Whether the last write was done, a moment ago.
    fn are_shown(&self, now: Uptime) -> bool {
        let known = self.lock();
        let is_over = known.failure.is_none_or(|failure| failure.until.is_some());
        let is_recent = |(_, at)| now.since(at) < SHOWN_FOR;
        is_over && known.last_done.is_some_and(is_recent)
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
    /// Notes a write that failed. Of those that are done only logins and trials count: a full server
    /// takes touches all the same, and a touch that another node's covers is not written.
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
        writes.done(moment(900));
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
