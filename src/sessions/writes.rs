use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::breaker::MOST_PARTS;
use super::node::Node;
use super::prober::has_failed;
use crate::session::Touch;
use crate::store::{SessionStore, StoreError, StoreErrorKind};
use crate::time::{Moment, Timestamp, Uptime};
use crate::token::SessionId;

/// For how long a write that was done shows that the store can be written.
const SHOWN_FOR: Duration = Duration::from_secs(1);
/// For how long after writes failed uses from that time may still be on their way to the store.
const LATE_USES: Duration = Duration::from_secs(5);

/// The part that a store is which has no parts.
const WHOLE: u64 = 0;

/// What this node knows of whether the parts of the store can be written: one that is full, or whose
/// disk or replicas are gone, still reads.
#[derive(Default)]
pub(super) struct Writes(Mutex<BTreeMap<u64, Known>>);

#[derive(Default)]
struct Known {
    last_done: Timestamp,
    /// When something new was written, unless a write has failed since.
    shown_at: Option<Uptime>,
    /// When a trial failed last.
    failed_at: Option<Uptime>,
    failure: Option<Failure>,
}

/// The last time span in which no write was done.
#[derive(Clone, Copy)]
struct Failure {
    /// Where the last one failed.
    bucket: [u8; 2],
    from: Timestamp,
    /// `None` while it lasts.
    until: Option<Timestamp>,
}

impl Writes {
    /// Notes that something new was written.
    pub(super) fn done(&self, part: u64, now: Moment) {
        self.with(part, |known| {
            known.touched(now.fleet);
            known.shown_at = Some(now.local);
            known.failed_at = None;
        });
    }

    /// Notes that a use was written. A full server takes that, and nothing new.
    fn touched(&self, part: u64, now: Timestamp) {
        self.with(part, |known| known.touched(now));
    }

    /// Notes a write that failed.
    fn failed(&self, part: u64, bucket: [u8; 2], now: Timestamp) {
        self.with(part, |known| {
            known.shown_at = None;
            // Touches that wait for the end of the last failure still do.
            let felt = known.failure.filter(|failure| failure.is_felt(now));
            known.failure = Some(Failure {
                bucket,
                from: felt.map_or(known.last_done, |failure| failure.from),
                until: None,
            });
        });
    }

    /// A bucket of each part to which nothing new could be written when that was tried last.
    fn failing(&self) -> Vec<[u8; 2]> {
        let parts = self.lock();
        let failing = parts.values().filter(|known| known.shown_at.is_none());
        failing
            .filter_map(|known| Some(known.failure?.bucket))
            .collect()
    }

    /// Whether a trial failed a moment ago.
    fn have_failed(&self, part: u64, now: Uptime) -> bool {
        let failed_at = self.with(part, |known| known.failed_at);
        failed_at.is_some_and(|at| now.since(at) < SHOWN_FOR)
    }

    /// Whether something new was written to a part a moment ago.
    fn are_shown(&self, part: u64, now: Uptime) -> bool {
        let shown_at = self.with(part, |known| known.shown_at);
        shown_at.is_some_and(|at| now.since(at) < SHOWN_FOR)
    }

    /// Whether a session that the store takes for idle since `idle_at` may have been used since
    /// without the store being told.
    fn may_be_touched(&self, part: u64, idle_at: Timestamp, now: Timestamp) -> bool {
        let failure = self.with(part, |known| known.failure);
        failure.is_some_and(|failure| idle_at >= failure.from && failure.is_felt(now))
    }

    fn with<T>(&self, part: u64, then: impl FnOnce(&mut Known) -> T) -> T {
        let mut parts = self.lock();
        if parts.len() >= MOST_PARTS && !parts.contains_key(&part) {
            parts.pop_first();
        }
        then(parts.entry(part).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn touched(&mut self, now: Timestamp) {
        self.last_done = now;
        if let Some(failure) = &mut self.failure {
            failure.until.get_or_insert(now);
        }
    }
}

impl Failure {
    fn is_felt(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|end| now < end.after(LATE_USES))
    }
}

impl<S: SessionStore> Node<S> {
    /// Notes what a touch came to. One that another node's covers was not written.
    pub(super) fn note_touch(&self, touch: &Touch, told: &Result<Option<Timestamp>, StoreError>) {
        let bucket = touch.id.bucket();
        let written = touch
            .used_at
            .after(self.config.idle_timeout)
            .after(touch.slack);
        match told {
            Ok(Some(deadline)) if *deadline == written => {
                let part = self.store.part(bucket);
                self.writes.touched(part, self.clock.now());
            }
            _ => self.note_failed_write(bucket, told),
        }
    }

    /// The same, unless it failed because there is no key for a new token.
    pub(super) fn note_failed_order<T>(&self, bucket: [u8; 2], ordered: &Result<T, StoreError>) {
        if self.keyring.newest().is_some() {
            self.note_failed_write(bucket, ordered);
        }
    }

    /// Notes a write that failed.
    pub(super) fn note_failed_write<T>(&self, bucket: [u8; 2], written: &Result<T, StoreError>) {
        if has_failed(written) {
            let part = self.store.part(bucket);
            self.writes.failed(part, bucket, self.clock.now());
        }
    }

    /// Whether uses from the time when the store took a session for idle may be on their way to it.
    pub(super) fn may_be_touched(&self, id: SessionId, idle_at: Timestamp) -> bool {
        let (part, now) = (self.store.part(id.bucket()), self.clock.now());
        self.breaker.may_be_touched(part, idle_at, now)
            || self.writes.may_be_touched(part, idle_at, now)
    }

    /// Fails unless the part of the store that has a bucket can be written: it has been within the
    /// last second, or is now. A trial that failed counts for a second, too.
    pub(super) async fn ensure_writable(
        self: &Arc<Self>,
        bucket: [u8; 2],
    ) -> Result<(), StoreError> {
        let unwritable = StoreError::new(StoreErrorKind::Unavailable);
        let part = self.store.part(bucket);
        if self.writes.have_failed(part, self.clock.uptime()) {
            return Err(unwritable.caused_by("a write has failed within the last second"));
        }
        // It says nothing of a record.
        let written = self.try_writing(bucket).await;
        written.map_err(|error| unwritable.caused_by(error))
    }

    /// Fails if a login would spend its code for nothing, as far as that can be known before its
    /// user is: where a server that answers has refused the last write, and still does. A part of
    /// the store that is down concerns its own users only.
    pub(super) async fn ensure_logins(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut failing = self.writes.failing();
        if failing.is_empty() && self.store.part([0, 0]) == WHOLE {
            failing.push([0, 0]);
        }
        for bucket in failing {
            let written = self.try_writing(bucket).await;
            let is_whole = self.store.part(bucket) == WHOLE;
            match written {
                Err(error) if is_whole || error.is_unwritten() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn try_writing(self: &Arc<Self>, bucket: [u8; 2]) -> Result<(), StoreError> {
        let part = self.store.part(bucket);
        if self.writes.are_shown(part, self.clock.uptime()) {
            return Ok(());
        }
        let written = self.tell(bucket, self.store.writable(bucket)).await;
        match &written {
            Ok(()) => self.writes.done(part, self.clock.read()),
            Err(_) => {
                self.note_failed_write(bucket, &written);
                let now = self.clock.uptime();
                self.writes.with(part, |known| known.failed_at = Some(now));
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: u64 = 7;
    const BUCKET: [u8; 2] = [1, 2];

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
        let shown = |millis| writes.are_shown(PART, Uptime::from_millis(millis));
        assert!(!shown(0));
        writes.done(PART, moment(1));
        assert!(shown(1000) && shown(1999) && !shown(2000));
        writes.failed(PART, BUCKET, at(1));
        assert!(!shown(1000));
        writes.touched(PART, at(1));
        assert!(!shown(1000), "a full server takes uses");
        assert_eq!(writes.failing(), [BUCKET]);
        writes.done(PART, moment(1));
        assert!(shown(1000));
    }

    #[test]
    fn who_got_idle_since_the_last_write_is_given_five_seconds_after_the_next() {
        let writes = Writes::default();
        writes.done(PART, moment(100));
        assert!(!writes.may_be_touched(PART, at(100), at(100)));
        writes.failed(PART, BUCKET, at(200));
        writes.failed(PART, BUCKET, at(300));
        assert!(writes.may_be_touched(PART, at(100), at(900)));
        assert!(
            !writes.may_be_touched(PART, at(99), at(900)),
            "idle before it"
        );
        writes.touched(PART, at(900));
        writes.done(PART, moment(902));
        assert!(writes.may_be_touched(PART, at(100), at(904)));
        assert!(!writes.may_be_touched(PART, at(100), at(905)));
        writes.failed(PART, BUCKET, at(910));
        assert!(
            !writes.may_be_touched(PART, at(901), at(911)),
            "another failure"
        );
        assert!(writes.may_be_touched(PART, at(902), at(911)));
    }

    #[test]
    fn a_node_that_has_written_nothing_yet_knows_of_no_time_when_it_worked() {
        let writes = Writes::default();
        writes.failed(PART, BUCKET, at(200));
        assert!(writes.may_be_touched(PART, at(0), at(200)));
    }

    #[test]
    fn a_part_that_fails_says_nothing_of_the_others_and_is_where_the_next_login_tries() {
        let writes = Writes::default();
        writes.done(PART, moment(1));
        writes.done(8, moment(1));
        assert!(writes.failing().is_empty());
        writes.failed(PART, BUCKET, at(1));
        assert_eq!(writes.failing(), [BUCKET]);
        assert!(writes.are_shown(8, Uptime::from_millis(1000)));
        assert!(!writes.may_be_touched(8, at(1), at(1)));
        writes.done(PART, moment(2));
        assert!(writes.failing().is_empty());
    }
}
