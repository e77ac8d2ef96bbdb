use std::time::Duration;

use tokio::time::Instant;

use crate::observe::outage::{OutageLog, Over};
use crate::time::Timestamp;

/// Failures in a row that open the breaker,
const IN_A_ROW: u32 = 5;
/// or among the last [`REMEMBERED`] answers.
const IN_ALL: u32 = 10;
const REMEMBERED: u32 = 20;
/// For how long after an outage uses from within it may still be on their way to the store.
const LATE_USES: Duration = Duration::from_secs(5);

/// What the answers of one part of the store say of it.
#[derive(Default)]
pub(super) struct Part {
    is_open: bool,
    /// What a probe asks for: where the last question was about that failed.
    bucket: Option<[u8; 2]>,
    /// One bit for each answer to a question, the newest is the lowest; set where it failed.
    failures: u32,
    last_success: Timestamp,
    outage: Option<Outage>,
    /// What operators were told.
    log: OutageLog,
}

/// The last time span in which the part could not tell, on the fleet's clock.
#[derive(Clone, Copy)]
struct Outage {
    from: Timestamp,
    /// `None` while it lasts.
    until: Option<Timestamp>,
}

impl Part {
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) const fn bucket(&self) -> Option<[u8; 2]> {
        self.bucket
    }

    pub(super) const fn last_success(&self) -> Timestamp {
        self.last_success
    }

    /// Notes what a question came to; `true` if that opens the breaker. A probe alone closes it.
    pub(super) fn asked(
        &mut self,
        bucket: Option<[u8; 2]>,
        has_failed: bool,
        now: Timestamp,
    ) -> bool {
        if self.is_open {
            return false;
        }
        self.note(has_failed, now);
        self.failures = self.failures << 1 | u32::from(has_failed);
        self.is_open = self.is_too_bad();
        if has_failed {
            self.bucket = bucket;
        }
        self.is_open
    }

    /// Notes what an order came to. A store that can only be read still serves checks, so this
    /// opens nothing; but uses do not reach it.
    pub(super) fn told(&mut self, has_failed: bool, now: Timestamp) {
        if !self.is_open {
            self.note(has_failed, now);
        }
    }

    pub(super) fn close(&mut self, now: Timestamp) {
        self.failures = 0;
        self.note(false, now);
        self.is_open = false;
    }

    /// Whether a session that the store takes for idle since `idle_at` may have been used in an
    /// outage, and the store be told of it any moment now.
    pub(super) fn may_be_touched(&self, idle_at: Timestamp, now: Timestamp) -> bool {
        self.outage.is_some_and(|outage| {
            let ended = outage.until.unwrap_or(now);
            idle_at >= outage.from && now < ended.after(LATE_USES)
        })
    }

    /// Notes a failure for the log; `true` if an outage begins with it.
    pub(super) fn log_failure(&mut self) -> bool {
        self.log.fails(Instant::now())
    }

    /// Notes a success for the log, and what it ends.
    pub(super) fn log_success(&mut self) -> Option<Over> {
        self.log.succeeds(Instant::now())
    }

    fn note(&mut self, has_failed: bool, now: Timestamp) {
        match &mut self.outage {
            Some(outage) if !has_failed => {
                outage.until.get_or_insert(now);
            }
            // A straggler: touches that wait for the end of the outage still do.
            Some(outage) if outage.until.is_none_or(|end| now < end.after(LATE_USES)) => {
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

    const fn is_too_bad(&self) -> bool {
        let remembered = self.failures & ((1 << REMEMBERED) - 1);
        remembered.trailing_ones() >= IN_A_ROW || remembered.count_ones() >= IN_ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    /// Notes answers, `x` for a failure; whether the last one opens the part.
    fn opens(answers: &str) -> bool {
        let mut part = Part::default();
        let mut opened = false;
        for answer in answers.chars() {
            assert!(!opened, "opened before the last of {answers}");
            opened = part.asked(None, answer == 'x', at(0));
        }
        assert_eq!(part.is_open(), opened);
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
        let mut part = Part::default();
        while !part.asked(None, true, at(0)) {}
        assert!(!part.asked(None, true, at(0)), "it opens once");
        part.asked(None, false, at(0));
        assert!(part.is_open());
        part.close(at(0));
        for _ in 1..IN_A_ROW {
            assert!(!part.asked(None, true, at(0)));
        }
    }

    #[test]
    fn orders_that_fail_open_nothing() {
        let mut part = Part::default();
        for _ in 0..100 {
            part.told(true, at(0));
        }
        assert!(!part.is_open());
    }

    #[test]
    fn who_got_idle_since_the_last_success_is_given_five_seconds_after_the_outage() {
        let question = |part: &mut Part, now| {
            part.asked(None, true, now);
        };
        let order = |part: &mut Part, now| part.told(true, now);
        for fails in [question, order] {
            let mut part = Part::default();
            part.asked(None, false, at(100));
            assert!(!part.may_be_touched(at(100), at(100)));
            fails(&mut part, at(110));
            fails(&mut part, at(120));
            assert!(part.may_be_touched(at(100), at(200)));
            part.asked(None, false, at(200));
            part.asked(None, false, at(202));
            assert!(!part.may_be_touched(at(99), at(204)), "idle before it");
            assert!(part.may_be_touched(at(100), at(204)));
            assert!(
                !part.may_be_touched(at(100), at(205)),
                "that was long enough"
            );
        }
    }

    #[test]
    fn a_straggler_belongs_to_the_outage_that_seemed_over() {
        let mut part = Part::default();
        part.asked(None, true, at(100));
        part.asked(None, false, at(200));
        part.asked(None, true, at(201));
        part.asked(None, false, at(202));
        assert!(part.may_be_touched(at(150), at(206)));
        assert!(!part.may_be_touched(at(150), at(207)));
    }
}
