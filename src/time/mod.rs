//! Instants on the fleet's clock, and where they come from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

mod clock;
#[cfg(any(test, feature = "test-util"))]
mod manual;

pub(crate) use self::clock::Clock;
#[cfg(all(test, not(feature = "test-util")))]
pub(crate) use self::manual::ManualClock;
#[cfg(feature = "test-util")]
pub use self::manual::ManualClock;

/// An instant on the store's clock: milliseconds since the Unix epoch.
///
/// The store's clock is the fleet's clock, so that nodes agree on when a session ends.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// An instant so many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// The instant `span` later, or the end of time.
    #[must_use]
    #[inline]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The instant `span` earlier, or the beginning of time.
    #[must_use]
    pub(crate) fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// How long it is since `earlier`; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        let since_epoch = Duration::from_millis(timestamp.0);
        let latest = UNIX_EPOCH + Duration::from_secs(u32::MAX.into());
        UNIX_EPOCH.checked_add(since_epoch).unwrap_or(latest)
    }
}

/// Whole milliseconds of a span; at most `u64::MAX`.
#[inline]
pub(crate) fn millis(span: Duration) -> u64 {
    let of_seconds = span.as_secs().saturating_mul(1000);
    of_seconds.saturating_add(span.subsec_millis().into())
}

/// How long this node's clock has run: measures spans on this node, whatever the fleet's clock does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Uptime(u64);

impl Uptime {
    pub(crate) const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub(crate) const fn as_millis(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    pub(crate) fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// One look at the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// When sessions end is told by the fleet's clock,
    pub(crate) fleet: Timestamp,
    /// how old knowledge is by our own.
    pub(crate) local: Uptime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_beyond_the_end_of_time_saturate() {
        assert_eq!(Timestamp(1).after(Duration::MAX), Timestamp(u64::MAX));
        assert_eq!(Timestamp(1).since(Timestamp(2)), Duration::ZERO);
    }
}
