use std::time::Duration;

use tokio::time::Instant;

use super::gate::Gate;
use crate::observe::outage::{Outage, Over};
use crate::store::StoreError;
use crate::time::Uptime;

/// Failures in a row that open the breaker,
const IN_A_ROW: u32 = 5;
/// or among the last [`REMEMBERED`] reads.
const IN_ALL: u32 = 10;
const REMEMBERED: u32 = 20;
/// For how long a write that was done, or a trial that failed, speaks for the next ones.
const SHOWN_FOR: Duration = Duration::from_secs(1);

/// What one part of the store has answered, and what follows from it.
#[derive(Default)]
pub(super) struct Part {
    pub(super) gate: Gate,
    /// One bit for each read, the newest is the lowest; set where it failed.
    failures: u32,
    /// Of reads and writes.
    outage: Outage,
    /// Of writes alone: a part that is full, or whose disk or replicas are gone, still reads.
    unwritable: Outage,
    /// The same without what is overwritten, which a full one takes: what is logged of it.
    refusing: Outage,
    /// What it failed of last.
    last_failure: Option<StoreError>,
    /// Where the last write failed.
    failed_bucket: Option<[u8; 2]>,
    /// When something new was written, unless a write has failed since.
    written_at: Option<Uptime>,
    /// When a trial write failed last, unless something was written since.
    trial_failed_at: Option<Uptime>,
}

impl Part {
    /// Notes what a read came to; `true` if that opens the breaker, for a `pause`.
    pub(super) fn read(&mut self, has_failed: bool, pause: impl FnOnce() -> Duration) -> bool {
        if !self.gate.is_closed() {
            // A straggler from before it opened. The trial alone closes it.
            return false;
        }
        self.failures = self.failures << 1 | u32::from(has_failed);
        let opens = self.is_too_bad();
        if opens {
            self.gate.open(Instant::now() + pause());
        }
        opens
    }

    /// Notes what the trial came to that the gate has let through.
    pub(super) fn trial_ended(&mut self, has_failed: bool, pause: Duration) {
        if has_failed {
            self.gate.open(Instant::now() + pause);
        } else {
            self.failures = 0;
            self.gate.close();
        }
    }

    /// Notes a failure; `true` if it is worth a line in the log.
    pub(super) fn failed(&mut self, failure: &StoreError, now: Uptime) -> bool {
        self.last_failure = Some(failure.clone());
        // A deadline says nothing of the cause; that comes later, from whoever has more patience.
        match failure.is_late() {
            true => self.outage.falls_silent(now),
            false => self.outage.fails(now),
        }
    }

    /// Notes a write that was refused by a server that answers; `true` if it is worth a line in the log.
    pub(super) fn refused(&mut self, now: Uptime) -> bool {
        self.refusing.fails(now)
    }

    /// For those who are not let through because of it.
    pub(super) fn last_failure(&self) -> Option<StoreError> {
        self.last_failure.clone()
    }

    /// Notes a success, and what it ends.
    pub(super) fn succeeded(&mut self, now: Uptime) -> Option<Over> {
        self.outage.succeeds(now)
    }

    pub(super) const fn last_success(&self) -> Uptime {
        self.outage.last_success()
    }

    /// Notes that something new was written, and what that ends.
    pub(super) fn written(&mut self, now: Uptime) -> Option<Over> {
        self.unwritable.succeeds(now);
        self.written_at = Some(now);
        self.trial_failed_at = None;
        self.refusing.succeeds(now)
    }

    /// Notes that something was overwritten. A full server takes that, and nothing new.
    pub(super) fn overwritten(&mut self, now: Uptime) {
        self.unwritable.succeeds(now);
    }

    /// Notes a write that failed.
    pub(super) fn not_written(&mut self, bucket: [u8; 2], now: Uptime) {
        self.unwritable.fails(now);
        self.failed_bucket = Some(bucket);
        self.written_at = None;
    }

    /// Notes a trial write that failed.
    pub(super) const fn trial_write_failed(&mut self, now: Uptime) {
        self.trial_failed_at = Some(now);
    }

    /// A bucket of it, if nothing new could be written when that was tried last.
    pub(super) fn unwritten_bucket(&self) -> Option<[u8; 2]> {
        let bucket = self.failed_bucket?;
        self.written_at.is_none().then_some(bucket)
    }

    /// Whether something new was written a moment ago.
    pub(super) fn is_shown_writable(&self, now: Uptime) -> bool {
        self.written_at.is_some_and(|at| now.since(at) < SHOWN_FOR)
    }

    /// Whether a trial write failed a moment ago.
    pub(super) fn is_shown_unwritable(&self, now: Uptime) -> bool {
        let failed_at = self.trial_failed_at;
        failed_at.is_some_and(|at| now.since(at) < SHOWN_FOR)
    }

    /// Whether a use `at` a time may not have been written yet, because this could not be.
    pub(super) fn may_lack_use(&self, at: Uptime, now: Uptime) -> bool {
        self.outage.may_have_kept(at, now) || self.unwritable.may_have_kept(at, now)
    }

    const fn is_too_bad(&self) -> bool {
        let remembered = self.failures & ((1 << REMEMBERED) - 1);
        remembered.trailing_ones() >= IN_A_ROW || remembered.count_ones() >= IN_ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(200);
    const BUCKET: [u8; 2] = [1, 2];

    const fn at(millis: u64) -> Uptime {
        Uptime::from_millis(millis)
    }

    /// Notes reads, `x` for a failure; whether the last one opens the part.
    fn opens(answers: &str) -> bool {
        let mut part = Part::default();
        let mut opened = false;
        for answer in answers.chars() {
            assert!(!opened, "opened before the last of {answers}");
            opened = part.read(answer == 'x', || PAUSE);
        }
        assert_eq!(part.gate.is_closed(), !opened);
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
    fn only_the_trial_closes_it_and_all_is_forgotten() {
        let mut part = Part::default();
        while !part.read(true, || PAUSE) {}
        assert!(!part.read(true, || PAUSE), "it opens once");
        part.read(false, || PAUSE);
        assert!(!part.gate.is_closed());
        part.trial_ended(true, PAUSE);
        assert!(!part.gate.is_closed());
        part.trial_ended(false, PAUSE);
        for _ in 1..IN_A_ROW {
            assert!(!part.read(true, || PAUSE));
        }
    }

    #[test]
    fn a_write_shows_for_a_second_that_it_can_be_written_unless_one_fails() {
        let mut part = Part::default();
        assert!(!part.is_shown_writable(at(0)));
        part.written(at(1000));
        assert!(part.is_shown_writable(at(1999)) && !part.is_shown_writable(at(2000)));
        part.not_written(BUCKET, at(1000));
        assert!(!part.is_shown_writable(at(1000)));
        part.overwritten(at(1000));
        assert!(!part.is_shown_writable(at(1000)), "a full one takes uses");
        assert_eq!(part.unwritten_bucket(), Some(BUCKET));
        part.written(at(1000));
        assert!(part.is_shown_writable(at(1000)));
        assert_eq!(part.unwritten_bucket(), None);
    }

    #[test]
    fn a_trial_write_that_failed_speaks_for_a_second() {
        let mut part = Part::default();
        part.trial_write_failed(at(1000));
        assert!(part.is_shown_unwritable(at(1999)) && !part.is_shown_unwritable(at(2000)));
        part.trial_write_failed(at(3000));
        part.written(at(3000));
        assert!(!part.is_shown_unwritable(at(3000)));
    }

    #[test]
    fn uses_may_be_missing_after_an_outage_of_reads_and_after_one_of_writes() {
        for only_writes in [false, true] {
            let mut part = Part::default();
            part.succeeded(at(100));
            part.written(at(100));
            match only_writes {
                true => part.not_written(BUCKET, at(200)),
                false => assert!(part.failed(&StoreError::unavailable("down"), at(200))),
            }
            part.succeeded(at(300));
            assert_eq!(part.may_lack_use(at(150), at(9000)), only_writes);
            part.overwritten(at(9000));
            assert_eq!(part.may_lack_use(at(150), at(13_999)), only_writes);
            assert!(!part.may_lack_use(at(150), at(14_000)));
        }
    }
}
