use std::time::Duration;

use crate::time::Uptime;

/// A success sooner than this after a failure does not end an outage: half of the calls may fail.
const QUIET: Duration = Duration::from_secs(1);
/// For how long after an outage what was put off in it may still be on its way.
const LATE: Duration = Duration::from_secs(5);

/// Consecutive failures, told from single ones: since when nothing works, and what is logged of it.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    last_success: Uptime,
    /// The last time span without a success.
    span: Option<Span>,
    /// The failures that were logged as one outage, until its end is logged.
    row: Option<Row>,
}

#[derive(Debug)]
struct Span {
    /// The last success before it.
    from: Uptime,
    /// The first one after it; `None` while it lasts.
    until: Option<Uptime>,
}

#[derive(Debug)]
struct Row {
    since: Uptime,
    last: Uptime,
    failures: u64,
    /// Whether any of them has said more than that no answer came.
    is_explained: bool,
}

/// An outage that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    pub(crate) failures: u64,
    pub(crate) lasted: Duration,
}

impl Outage {
    /// Notes a failure; `true` if it is worth a line in the log, as the first one of an outage is, and the
    /// first one after silence alone.
    pub(crate) fn fails(&mut self, now: Uptime) -> bool {
        self.note(now, true)
    }

    /// Notes a failure that says no more than that no answer came in time; `true` if an outage begins
    /// with it.
    pub(crate) fn falls_silent(&mut self, now: Uptime) -> bool {
        self.note(now, false)
    }

    fn note(&mut self, now: Uptime, says_why: bool) -> bool {
        // A straggler belongs to the outage that seemed over: what waits for its end still does.
        let felt = self.span.take_if(|span| span.is_felt(now));
        self.span = Some(Span {
            from: felt.map_or(self.last_success, |span| span.from),
            until: None,
        });
        let begins = self.row.is_none();
        let row = self.row.get_or_insert(Row {
            since: now,
            last: now,
            failures: 0,
            is_explained: false,
        });
        row.last = now;
        row.failures += 1;
        let explains = says_why && !row.is_explained;
        row.is_explained |= says_why;
        begins || explains
    }

    /// Notes a success; ends the outage that there was, if nothing has failed for a second.
    pub(crate) fn succeeds(&mut self, now: Uptime) -> Option<Over> {
        self.last_success = now;
        if let Some(span) = &mut self.span {
            span.until.get_or_insert(now);
        }
        let row = self.row.take_if(|row| now.since(row.last) >= QUIET);
        row.map(|row| Over {
            failures: row.failures,
            lasted: now.since(row.since),
        })
    }

    pub(crate) const fn last_success(&self) -> Uptime {
        self.last_success
    }

    /// Whether something that happened `at` a time fell into the last outage, and may still be on
    /// its way to where it could not be brought then.
    pub(crate) fn may_have_kept(&self, at: Uptime, now: Uptime) -> bool {
        let span = self.span.as_ref();
        span.is_some_and(|span| at >= span.from && span.is_felt(now))
    }
}

impl Span {
    fn is_felt(&self, now: Uptime) -> bool {
        self.until.is_none_or(|end| now < end.after(LATE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Uptime {
        Uptime::from_millis(secs * 1000)
    }

    #[test]
    fn an_outage_begins_once_and_ends_once() {
        let mut outage = Outage::default();
        assert_eq!(outage.succeeds(at(0)), None);
        assert!(outage.fails(at(1)));
        assert!(!outage.fails(at(2)));
        let over = Over {
            failures: 2,
            lasted: Duration::from_secs(4),
        };
        assert_eq!(outage.succeeds(at(5)), Some(over));
        assert_eq!(outage.succeeds(at(6)), None);
        assert!(outage.fails(at(7)));
    }

    #[test]
    fn what_says_why_is_worth_a_line_once() {
        let mut outage = Outage::default();
        assert!(outage.falls_silent(at(0)));
        assert!(!outage.falls_silent(at(1)));
        assert!(outage.fails(at(2)));
        assert!(!outage.falls_silent(at(3)) && !outage.fails(at(4)));
    }

    #[test]
    fn a_success_among_failures_ends_no_outage() {
        let mut outage = Outage::default();
        assert!(outage.fails(at(0)));
        let soon = Uptime::from_millis(999);
        assert_eq!(outage.succeeds(soon), None);
        assert!(!outage.fails(soon));
        assert!(outage.succeeds(soon.after(QUIET)).is_some());
    }

    #[test]
    fn what_was_put_off_since_the_last_success_has_five_seconds_after_the_outage() {
        let mut outage = Outage::default();
        outage.succeeds(at(100));
        assert!(!outage.may_have_kept(at(100), at(100)));
        outage.fails(at(110));
        outage.fails(at(120));
        assert!(outage.may_have_kept(at(100), at(200)));
        outage.succeeds(at(200));
        outage.succeeds(at(202));
        assert!(!outage.may_have_kept(at(99), at(204)), "before it");
        assert!(outage.may_have_kept(at(100), at(204)));
        assert!(!outage.may_have_kept(at(100), at(205)), "that was long");
        outage.fails(at(210));
        assert!(!outage.may_have_kept(at(201), at(211)), "another one");
        assert!(outage.may_have_kept(at(202), at(211)));
    }

    #[test]
    fn a_straggler_belongs_to_the_outage_that_seemed_over() {
        let mut outage = Outage::default();
        outage.fails(at(100));
        outage.succeeds(at(200));
        outage.fails(at(201));
        outage.succeeds(at(202));
        assert!(outage.may_have_kept(at(50), at(206)));
        outage.fails(at(300));
        assert!(!outage.may_have_kept(at(50), at(300)));
    }

    #[test]
    fn without_a_success_yet_nobody_knows_of_a_time_when_it_worked() {
        let mut outage = Outage::default();
        outage.fails(at(200));
        assert!(outage.may_have_kept(at(0), at(200)));
    }
}
