use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::u48::U48;
use super::{Record, Touch};
use crate::time::{Timestamp, millis};
use crate::token::SessionId;

/// How exactly a node knows the last use, in milliseconds: one shared write per second is the most
/// that a hit may cost.
const RESOLUTION: u64 = 1000;

/// When a session was used last on this node, what of that is written to the store, and whether a
/// use has the session confirmed.
///
/// Of the uses of a session at most one in a tenth of its idle timeout is written, and one at a
/// time. Times are in milliseconds.
#[repr(C)]
pub(crate) struct Usage {
    idle_timeout: U48,
    /// Whether somebody is writing a touch.
    is_writing: AtomicBool,
    /// Whether a confirmation in the background was started; if it fails, requests wait for one.
    is_refreshing: AtomicBool,
    /// The later of what the store has said and what the last use on this node makes of it, exact
    /// to [`RESOLUTION`].
    idle_deadline: AtomicU64,
    /// What the store has, or will have when a touch is written; 0 if the next use is to write one.
    written_deadline: AtomicU64,
}

// A use and the end of a write are Dekker's two threads: the one moves `idle_deadline` and then
// looks at `is_writing`; the other clears `is_writing` and then looks at `idle_deadline`. All four
// are SeqCst, so at least one of the two sees the other. With anything weaker a use could find the
// write still going on while that no longer finds the use, and nobody would write it.
impl Usage {
    pub(super) fn new(record: &Record) -> Self {
        let idle_deadline = record.idle_deadline.as_millis();
        Self {
            idle_timeout: U48::new(idle_timeout(record)),
            is_writing: AtomicBool::new(false),
            is_refreshing: AtomicBool::new(false),
            idle_deadline: AtomicU64::new(idle_deadline),
            written_deadline: AtomicU64::new(idle_deadline),
        }
    }

    /// Takes over when the session was used last, from what was known of it before. What is written
    /// is not taken over: the store has just said what it has.
    pub(super) fn take_over(&self, earlier: &Self) {
        // Relaxed: nobody else has this one yet.
        let deadline = earlier.idle_deadline.load(Ordering::Relaxed);
        self.idle_deadline.fetch_max(deadline, Ordering::Relaxed);
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout.get())
    }

    #[inline]
    pub(super) fn idle_deadline(&self) -> Timestamp {
        // Relaxed: a value by itself. Who reads an older one reads the store before it says "idle".
        Timestamp::from_millis(self.idle_deadline.load(Ordering::Relaxed))
    }

    /// Notes a use; returns the touch that is to be written now.
    #[inline]
    pub(crate) fn note(&self, id: SessionId, now: Timestamp) -> Option<Touch> {
        let deadline = self.deadline_of(now);
        // Relaxed: what is missed here is less than the resolution, or found by `fetch_max`.
        let seen = self.idle_deadline.load(Ordering::Relaxed);
        if deadline >= seen.saturating_add(RESOLUTION) {
            self.idle_deadline.fetch_max(deadline, Ordering::SeqCst);
        }
        if deadline < self.written_deadline.load(Ordering::SeqCst) {
            return None;
        }
        self.start_touch(id, deadline)
    }

    /// The touch of a use that is due, unless somebody is writing one. Rare, and not on the way of a
    /// hit.
    #[cold]
    fn start_touch(&self, id: SessionId, deadline: u64) -> Option<Touch> {
        self.start_writing().then(|| self.touch_for(id, deadline))
    }

    /// A touch was written, and the store has this idle deadline now unless it refused; returns the
    /// next touch if a later use is due already.
    ///
    /// What was refused counts as written: the store would refuse each use.
    pub(crate) fn written(&self, touch: &Touch, idle_deadline: Option<Timestamp>) -> Option<Touch> {
        if let Some(deadline) = idle_deadline {
            let (deadline, needed) = (deadline.as_millis(), self.deadline_of(touch.used_at));
            // A store whose clock is behind covers a use only later. It is not written each time.
            let written = match deadline > needed {
                true => deadline,
                false => needed.saturating_add(RESOLUTION),
            };
            self.written_deadline.store(written, Ordering::SeqCst);
        }
        self.is_writing.store(false, Ordering::SeqCst);
        let deadline = self.idle_deadline.load(Ordering::SeqCst);
        let is_later = self.use_behind(deadline) > touch.used_at;
        let is_due = is_later && deadline > self.written_deadline.load(Ordering::SeqCst);
        let next = is_due.then(|| self.start_touch(touch.id, deadline));
        // Used without a gap since what the store has just taken.
        next.flatten().map(|next| next.in_use_since(touch.used_at))
    }

    /// Nobody can write the touch: the next use tries again.
    pub(crate) fn abandon(&self) {
        self.written_deadline.store(0, Ordering::Relaxed);
        // Release, for the swap of whoever writes next: it finds the 0. A use that has read the old
        // deadline before leaves it to the next one.
        self.is_writing.store(false, Ordering::Release);
    }

    /// The same touch, with a later use of the session if its slack does not cover that.
    pub(crate) fn latest(&self, touch: Touch) -> Touch {
        let covered = Timestamp::from_millis(self.deadline_of(touch.used_at)).after(touch.slack);
        let deadline = self.idle_deadline.load(Ordering::SeqCst);
        let used_at = match deadline > covered.as_millis() {
            true => self.use_behind(deadline),
            false => touch.used_at,
        };
        Touch { used_at, ..touch }
    }

    /// Whether the caller is the one to confirm the session in the background.
    pub(crate) fn start_refresh(&self) -> bool {
        // Relaxed: it chooses one of those who come at the same time and orders nothing else.
        !self.is_refreshing.swap(true, Ordering::Relaxed)
    }

    /// Whether the caller is the one to write.
    fn start_writing(&self) -> bool {
        !self.is_writing.swap(true, Ordering::SeqCst)
    }

    /// The touch for the use that has led to this idle deadline.
    fn touch_for(&self, id: SessionId, deadline: u64) -> Touch {
        let touch = Touch::new(id, self.use_behind(deadline), self.slack());
        // What it will be, so that nobody else finds a touch due in the meantime. Relaxed: who
        // reads the old one loses the swap.
        let written = deadline.saturating_add(millis(touch.slack));
        self.written_deadline.store(written, Ordering::Relaxed);
        touch
    }

    #[inline]
    fn deadline_of(&self, used_at: Timestamp) -> u64 {
        used_at.as_millis().saturating_add(self.idle_timeout.get())
    }

    fn use_behind(&self, deadline: u64) -> Timestamp {
        Timestamp::from_millis(deadline.saturating_sub(self.idle_timeout.get()))
    }

    fn slack(&self) -> Duration {
        self.idle_timeout() / 10
    }
}

/// In milliseconds. What is longer than thousands of years leaves room for a slack all the same.
fn idle_timeout(record: &Record) -> u64 {
    const LONGEST: u64 = 1 << 47;
    millis(record.idle_timeout).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    const ID: SessionId = SessionId::from_bytes([0; 18]);

    fn usage(idle_timeout: Duration) -> Usage {
        let alice = Identity::new("appid", "alice");
        let record = Record::issued(alice, at(0), Duration::MAX, idle_timeout, None);
        Usage::new(&record)
    }

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_touch_is_due_when_the_store_s_deadline_no_longer_covers_the_use() {
        let usage = usage(10 * HOUR);
        let touch = usage.note(ID, at(1)).unwrap();
        assert_eq!(touch, Touch::new(ID, at(1), HOUR));
        assert_eq!(usage.note(ID, at(2)), None, "one at a time");
        assert_eq!(usage.latest(touch), touch, "the slack covers it");

        // Another node has written a use of half an hour ago.
        let covered = at(1).after(10 * HOUR + HOUR / 2);
        assert_eq!(usage.written(&touch, Some(covered)), None);
        assert_eq!(usage.note(ID, at(1799)), None);
        assert!(usage.note(ID, at(1801)).is_some());
    }

    #[test]
    fn a_use_while_an_earlier_one_is_written_is_not_lost() {
        let usage = usage(10 * HOUR);
        let touch = usage.note(ID, at(1)).unwrap();
        assert_eq!(usage.note(ID, at(4000)), None);
        let written = Some(at(1).after(11 * HOUR));
        let next = usage.written(&touch, written).unwrap();
        assert_eq!(next, Touch::new(ID, at(4000), HOUR).in_use_since(at(1)));
        assert_eq!(usage.written(&next, Some(at(4000).after(11 * HOUR))), None);
    }

    #[test]
    fn what_is_written_late_is_the_last_use_since_the_first_that_was_not_written() {
        let usage = usage(10 * HOUR);
        let touch = usage.note(ID, at(1)).unwrap();
        let mut latest = touch;
        // Each second one is covered by the slack of the one before it.
        for hours in 1..=31 {
            assert_eq!(usage.note(ID, at(hours * 3600 + 2)), None);
            latest = usage.latest(latest);
        }
        let last = Touch::new(ID, at(31 * 3600 + 2), HOUR);
        assert_eq!(latest, last.in_use_since(at(1)));
    }

    #[test]
    fn a_store_whose_clock_is_far_behind_is_written_once_a_second() {
        let usage = usage(10 * HOUR);
        let touch = usage.note(ID, at(7200)).unwrap();
        let behind = Some(at(1).after(11 * HOUR));
        assert_eq!(usage.written(&touch, behind), None);
        assert_eq!(usage.note(ID, at(7200)), None);
        assert!(usage.note(ID, at(7201)).is_some());
    }

    #[test]
    fn a_session_that_never_idles_writes_nothing() {
        let usage = usage(Duration::MAX);
        assert_eq!(usage.note(ID, at(1)), None);
        assert_eq!(usage.note(ID, at(1_000_000_000)), None);
    }
}
