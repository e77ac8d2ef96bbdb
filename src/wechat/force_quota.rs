use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Uptime;

/// How often WeChat allows a token to be replaced before its time: 20 times a day, 30 s apart.
const A_DAY: Duration = Duration::from_secs(24 * 3600);
const PER_DAY: usize = 20;
const APART: Duration = Duration::from_secs(30);

/// When this process made WeChat replace the token of an app, in the last day.
#[derive(Debug, Default)]
pub(super) struct ForceQuota(VecDeque<Uptime>);

impl ForceQuota {
    /// Takes one, or says how long it is until there is one.
    pub(super) fn take(&mut self, now: Uptime) -> Result<(), Duration> {
        while self
            .0
            .front()
            .is_some_and(|&first| now.since(first) >= A_DAY)
        {
            self.0.pop_front();
        }
        let wait = self.wait(now);
        if wait.is_zero() {
            self.0.push_back(now);
            return Ok(());
        }
        Err(wait)
    }

    fn wait(&self, now: Uptime) -> Duration {
        let left = |since: Option<&Uptime>, of: Duration| {
            since.map_or(Duration::ZERO, |&since| of.saturating_sub(now.since(since)))
        };
        match self.0.len() < PER_DAY {
            true => left(self.0.back(), APART),
            false => left(self.0.front(), A_DAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_twenty_a_day_and_thirty_seconds_apart() {
        let mut quota = ForceQuota::default();
        let at = |seconds: u64| Uptime::from_millis(seconds * 1000);
        assert_eq!(quota.take(at(0)), Ok(()));
        assert_eq!(quota.take(at(1)), Err(Duration::from_secs(29)));
        for number in 1..20 {
            assert_eq!(quota.take(at(30 * number)), Ok(()));
        }
        assert_eq!(quota.take(at(600)), Err(A_DAY - Duration::from_secs(600)));
        assert_eq!(quota.take(at(24 * 3600)), Ok(()));
        assert_eq!(quota.take(at(24 * 3600 + 29)), Err(Duration::from_secs(1)));
    }
}
