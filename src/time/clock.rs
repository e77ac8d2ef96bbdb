use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use coarsetime::Instant;

#[cfg(any(test, feature = "test-util"))]
use super::ManualClock;
use super::{Moment, Timestamp, Uptime, millis};

/// How far a reading of the store's clock may be behind our estimate and be taken for late.
///
/// A reading is old by the way to us, so of two readings the one that is ahead is right, unless the
/// clocks run apart: then they soon differ by more than this, and the newer reading is.
const TOLERANCE: Duration = Duration::from_millis(50);

/// Tells the time: monotonic on this node, and as close to the store's clock as was learnt.
///
/// The wall clock is read once, at creation, so that its later steps change nothing.
///
/// On Linux it is the system's coarse clock, which moves with the kernel's ticks: every 4 ms on
/// usual kernels, 1 to 10 ms on others, and later on a virtual machine that is starved (28 ms were
/// seen on one with twice as much to do as it had cores). So a node ends a session to the
/// millisecond by what it has read, and what it has read is up to a tick old; so is the store's
/// clock by the reading that it was compared with, which adds the time that the fastest answer took.
#[derive(Clone)]
pub(crate) struct Clock {
    source: Source,
    offset: Arc<Offset>,
}

/// How the store's clock differs from ours; one for all clones of a clock.
///
/// Relaxed is enough for both: each is a number by itself, through which nothing else is published.
/// Whoever reads an older offset reads a clock that is as good as it was a moment ago.
#[derive(Default)]
struct Offset {
    /// What the store's clock is ahead of ours.
    millis: AtomicI64,
    /// Whether the store's clock was ever read.
    is_known: AtomicBool,
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
        Self::monotonic_from(Timestamp::default())
    }

    /// Shows `earliest` where the wall clock is behind that, as one is that was set back.
    pub(crate) fn monotonic_from(earliest: Timestamp) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall = Timestamp(millis(since_epoch.unwrap_or_default()));
        Self::from(Source::Monotonic {
            started: Instant::now_without_cache_update(),
            started_at: wall.max(earliest),
        })
    }

    #[inline]
    pub(crate) fn read(&self) -> Moment {
        let ours = self.source.now().0;
        let offset = self.offset.millis.load(Ordering::Relaxed);
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
    ///
    /// The first reading is taken as it is. Later ones that would turn the clock back by a little
    /// are answers that came late, and are ignored.
    pub(crate) fn follow(&self, store_now: Timestamp) {
        let ahead = i128::from(store_now.0) - i128::from(self.source.now().0);
        let ahead = i64::try_from(ahead).unwrap_or_default();
        // Of two that are first at the same time, the swap lets one be it. The other is compared
        // with our own wall clock then: ignored or not, the estimate is one of the two readings.
        let is_first = !self.offset.is_known.swap(true, Ordering::Relaxed);
        // Compared and stored in one step: a late answer cannot get between the two of a better one
        // and take its place.
        let relaxed = Ordering::Relaxed;
        let _ = self.offset.millis.fetch_update(relaxed, relaxed, |known| {
            let back = Duration::from_millis(known.saturating_sub(ahead).try_into().unwrap_or(0));
            (is_first || back.is_zero() || back > TOLERANCE).then_some(ahead)
        });
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
    fn a_slow_answer_does_not_turn_the_clock_back() {
        let manual = ManualClock::new();
        let clock = Clock::from(manual.clone());
        let (hour, start) = (Duration::from_secs(3600), manual.now());

        clock.follow(start.after(hour));
        manual.advance(TOLERANCE);
        clock.follow(start.after(hour));
        assert_eq!(clock.now(), start.after(hour + TOLERANCE));

        clock.follow(start);
        assert_eq!(clock.now(), start, "the store's clock was set back");
    }

    #[test]
    fn the_first_reading_is_not_compared_with_our_wall_clock() {
        let manual = ManualClock::new();
        let (clock, earlier) = (Clock::from(manual.clone()), manual.now());
        manual.advance(TOLERANCE);
        let other = clock.clone();
        other.follow(earlier);
        assert_eq!(clock.now(), earlier, "clones share what was learnt");
        clock.follow(manual.now());
        other.follow(earlier);
        assert_eq!(clock.now(), manual.now());
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
}
