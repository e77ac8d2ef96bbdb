use std::time::Duration;

use crate::time::{Clock, Timestamp};

/// How far our estimate may be ahead of what a server says before it is believed.
///
/// What a server says is old by the way to us, so of two answers the one that is ahead is right,
/// unless our clocks run apart.
const TOLERANCE: Duration = Duration::from_millis(50);

/// Our estimate of the servers' clock.
#[derive(Clone, Debug)]
pub(super) struct ServerClock(Clock);

impl ServerClock {
    pub(super) fn new() -> Self {
        Self(Clock::monotonic())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// Learns what a server's clock showed just now.
    pub(super) fn learn(&self, server_now: Timestamp) {
        let ahead = self.0.now().since(server_now);
        if ahead.is_zero() || ahead > TOLERANCE {
            self.0.follow(server_now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    #[test]
    fn a_slow_answer_does_not_turn_the_clock_back() {
        let manual = ManualClock::new();
        let clock = ServerClock(Clock::from(manual.clone()));
        let (hour, start) = (Duration::from_secs(3600), manual.now());

        clock.learn(start.after(hour));
        manual.advance(TOLERANCE);
        clock.learn(start.after(hour));
        assert_eq!(clock.now(), start.after(hour + TOLERANCE));

        clock.learn(start);
        assert_eq!(clock.now(), start, "the server's clock was set back");
    }
}
