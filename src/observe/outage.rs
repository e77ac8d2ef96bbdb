use std::time::Duration;

use tokio::time::Instant;

/// A success sooner than this after a failure does not end an outage: half of the calls may fail.
const QUIET: Duration = Duration::from_secs(1);

/// Finds the first of consecutive failures, so that one outage is one line in the log.
#[derive(Debug, Default)]
pub(crate) struct OutageLog(Option<Running>);

#[derive(Debug)]
struct Running {
    since: Instant,
    last: Instant,
    failures: u64,
}

/// An outage that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    pub(crate) failures: u64,
    pub(crate) lasted: Duration,
}

impl OutageLog {
    /// Notes a failure; `true` if an outage begins with it.
    pub(crate) fn fails(&mut self, now: Instant) -> bool {
        let begins = self.0.is_none();
        let outage = self.0.get_or_insert(Running {
            since: now,
            last: now,
            failures: 0,
        });
        outage.last = now;
        outage.failures += 1;
        begins
    }

    /// Notes a success; ends the outage that there was, if nothing has failed for a second.
    pub(crate) fn succeeds(&mut self, now: Instant) -> Option<Over> {
        let is_over = |outage: &mut Running| now.duration_since(outage.last) >= QUIET;
        self.0.take_if(is_over).map(|outage| Over {
            failures: outage.failures,
            lasted: now.duration_since(outage.since),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_begins_once_and_ends_once() {
        let (mut outage, start) = (OutageLog::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
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
    fn a_success_among_failures_ends_no_outage() {
        let (mut outage, start) = (OutageLog::default(), Instant::now());
        assert!(outage.fails(start));
        let soon = start + QUIET - Duration::from_millis(1);
        assert_eq!(outage.succeeds(soon), None);
        assert!(!outage.fails(soon));
        assert!(outage.succeeds(soon + QUIET).is_some());
    }
}
