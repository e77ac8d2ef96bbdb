use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::refused::Refused;
use crate::login::CodePolicy;

/// A client that logs in when it starts has data of some seconds. An hour leaves room for one that
/// asks the user first; a day, the default of Telegram's SDKs, is long for what may be stolen.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);
/// How far the platform's clock may be ahead of the fleet's.
const AHEAD: Duration = Duration::from_secs(60);

/// How old launch data may be.
#[derive(Clone, Copy, Debug)]
pub(in crate::platform) struct Age {
    max: Duration,
}

impl Age {
    pub(in crate::platform) const DEFAULT: Self = Self::of(MAX_AGE);

    pub(in crate::platform) const fn of(max: Duration) -> Self {
        Self { max }
    }

    /// Fails unless the data was signed at this number of seconds since 1970, and that is neither
    /// long ago nor to come.
    pub(in crate::platform) fn check(self, signed_at: u64, now: SystemTime) -> Result<(), Refused> {
        let signed_at = Duration::from_secs(signed_at);
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if now.saturating_sub(signed_at) >= self.max {
            Err(Refused::TooOld(self.max))
        } else if signed_at.saturating_sub(now) > AHEAD {
            Err(Refused::FromTheFuture)
        } else {
            Ok(())
        }
    }

    /// Remembered as used for as long as it would be taken, on whichever node: data from the near
    /// future lives longer, and nodes' clocks differ by less than that again.
    pub(in crate::platform) const fn policy(self) -> CodePolicy {
        CodePolicy::replayable(self.max.saturating_add(AHEAD).saturating_add(AHEAD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_bounded_on_both_sides() {
        let second = Duration::from_secs(1);
        let age = Age::of(10 * second);
        let signed_at = 1_700_000_000;
        let at = UNIX_EPOCH + Duration::from_secs(signed_at);
        let too_old = Err(Refused::TooOld(10 * second));
        let early = Err(Refused::FromTheFuture);
        for (now, expected) in [
            (at, Ok(())),
            (at + 9 * second, Ok(())),
            (at + 10 * second, too_old),
            (at + 10_000_000 * second, too_old),
            (at - 60 * second, Ok(())),
            (at - 61 * second, early),
            (UNIX_EPOCH, early),
            (UNIX_EPOCH - second, early),
        ] {
            assert_eq!(age.check(signed_at, now), expected, "{now:?}");
        }
        assert_eq!(age.check(u64::MAX, at), early);
        assert_eq!(age.check(0, at), too_old);
    }

    #[test]
    fn used_data_is_remembered_for_longer_than_it_is_taken() {
        let expected = CodePolicy::replayable(Duration::from_secs(60 * 60 + 2 * 60));
        assert_eq!(Age::DEFAULT.policy(), expected);
        let endless = CodePolicy::replayable(Duration::MAX);
        assert_eq!(Age::of(Duration::MAX).policy(), endless);
    }
}
