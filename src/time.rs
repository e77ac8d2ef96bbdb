//! Instants on the fleet's clock, and where they come from.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coarsetime::Instant;
use serde::{Deserialize, Serialize};

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

/// Tells the time: monotonic on this node, and as close to the store's clock as was learnt.
///
/// The wall clock is read once, at creation, so that its later steps change nothing.
///
/// On Linux it is the system's coarse clock, which moves with the kernel's ticks: every 4 ms on
/// usual kernels, 1 to 10 ms on others, and later on a virtual machine that is starved (28 ms were
/// seen on one with twice as much to do as it had cores). So a node ends a session to the
/// millisecond by what it has read, and what it has read is up to a tick old; so is the store's
/// clock by the reading that it was compared with, which adds the time that the answer took.
#[derive(Clone)]
pub(crate) struct Clock {
    source: Source,
    /// What the store's clock is ahead of ours, in milliseconds.
    offset: Arc<AtomicI64>,
}

#[derive(Clone)]
enum Source {
    Monotonic {
        started: Instant,
        started_at: Timestamp,
    },
    #[cfg(any(test, feature = "test-util"))]
    Manual(ManualClock),
}

impl Clock {
    pub(crate) fn monotonic() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::from(Source::Monotonic {
            started: Instant::now_without_cache_update(),
            started_at: Timestamp(millis(since_epoch.unwrap_or_default())),
        })
    }

    #[inline]
    pub(crate) fn read(&self) -> Moment {
        let ours = self.source.now().0;
        let offset = self.offset.load(Ordering::Relaxed);
        Moment {
            fleet: Timestamp(ours.saturating_add_signed(offset)),
            local: Uptime(ours),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.read().fleet
    }

    pub(crate) fn uptime(&self) -> Uptime {
        self.read().local
    }

    /// Waits until this node's clock has run for `span`.
    pub(crate) async fn sleep(&self, span: Duration) {
        match &self.source {
            Source::Monotonic { .. } => tokio::time::sleep(span).await,
            #[cfg(any(test, feature = "test-util"))]
            Source::Manual(clock) => clock.sleep(span).await,
        }
    }

    /// Follows the store's clock, which showed `store_now` just now.
    pub(crate) fn follow(&self, store_now: Timestamp) {
        let ahead = i128::from(store_now.0) - i128::from(self.source.now().0);
        let offset = i64::try_from(ahead).unwrap_or_default();
        self.offset.store(offset, Ordering::Relaxed);
    }
}

impl Source {
    #[inline]
    fn now(&self) -> Timestamp {
        match self {
            Self::Monotonic {
                started,
                started_at,
            } => {
                let now = Instant::now_without_cache_update();
                Timestamp(
                    started_at
                        .0
                        .saturating_add(now.duration_since(*started).as_millis()),
                )
            }
            #[cfg(any(test, feature = "test-util"))]
            Self::Manual(clock) => clock.now(),
        }
    }
}

impl From<Source> for Clock {
    fn from(source: Source) -> Self {
        Self {
            source,
            offset: Arc::default(),
        }
    }
}

#[cfg(any(test, feature = "test-util"))]
impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self::from(Source::Manual(clock))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// A clock that moves only when a test says so.
///
/// Give clones of one clock to a store and to the sessions on it, and expiry can be tested to the
/// millisecond without a sleep.
#[cfg(any(test, feature = "test-util"))]
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Hands>);

#[cfg(any(test, feature = "test-util"))]
#[derive(Debug)]
struct Hands {
    millis: std::sync::atomic::AtomicU64,
    moved: tokio::sync::Notify,
}

#[cfg(any(test, feature = "test-util"))]
impl ManualClock {
    /// A clock that stands at 2026-01-01 00:00:00 UTC.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Hands {
            millis: 1_767_225_600_000.into(),
            moved: tokio::sync::Notify::new(),
        }))
    }

    /// The instant that it shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.millis.load(Ordering::SeqCst))
    }

    /// Moves it forward.
    pub fn advance(&self, span: Duration) {
        self.0.millis.fetch_add(millis(span), Ordering::SeqCst);
        self.0.moved.notify_waiters();
    }

    async fn sleep(&self, span: Duration) {
        let end = self.now().after(span);
        loop {
            let moved = self.0.moved.notified();
            if self.now() >= end {
                return;
            }
            moved.await;
        }
    }
}

#[cfg(any(test, feature = "test-util"))]
impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_s_clock_is_followed_in_both_directions() {
        let manual = ManualClock::new();
        let clock = Clock::from(manual.clone());
        let hour = Duration::from_secs(3600);

        clock.follow(manual.now().after(hour));
        assert_eq!(clock.now(), manual.now().after(hour));

        clock.follow(Timestamp(manual.now().0 - 5000));
        manual.advance(hour);
        assert_eq!(clock.now().after(Duration::from_secs(5)), manual.now());
    }

    #[test]
    fn spans_on_a_node_do_not_depend_on_the_store_s_clock() {
        let manual = ManualClock::new();
        let clock = Clock::from(manual.clone());
        let before = clock.uptime();
        clock.follow(Timestamp(0));
        manual.advance(Duration::from_secs(1));
        assert_eq!(clock.uptime().since(before), Duration::from_secs(1));
    }

    #[test]
    fn spans_beyond_the_end_of_time_saturate() {
        assert_eq!(Timestamp(1).after(Duration::MAX), Timestamp(u64::MAX));
        assert_eq!(Timestamp(1).since(Timestamp(2)), Duration::ZERO);
    }
}
