//! A session as handlers see it, and the decision whether it is live.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use crate::identity::Identity;
use crate::time::{Timestamp, Uptime};
use crate::token::SessionId;

mod data;
mod decision;
mod end;
mod record;
mod touch;

pub use self::data::DataError;
pub(crate) use self::data::to_json;
pub(crate) use self::decision::{
    Facts, Freshness, Gap, Share, StoreState, Verdict, decide, decide_in_gap,
};
pub use self::end::EndReason;
pub use self::record::Record;
pub use self::touch::Touch;

/// A live session: what a token stands for.
///
/// Handlers find it in the request's extensions, or take it as an argument with the `axum`
/// feature. Cloning is cheap. The client's token and the platform's session_key are no part of it.
#[derive(Clone)]
pub struct Session(Arc<Known>);

/// What this node knows of a session, in one place however many hold it.
///
/// What a hit looks at comes first, and then what a handler does: two lines of the processor's
/// cache, or three. Times are in milliseconds.
#[repr(C)]
pub(crate) struct Known {
    id: SessionId,
    /// Whether the store is being told of a use.
    telling: AtomicBool,
    /// Whether a confirmation in the background was started; if it fails, requests wait for one.
    refreshing: AtomicBool,
    stamp: Stamp,
    /// The record's: a hit looks no further.
    hard_end: Timestamp,
    idle_timeout: u64,
    /// The later of what the store has said and what the last use on this node makes of it, exact
    /// to [`USE_RESOLUTION`].
    idle_deadline: AtomicU64,
    /// What the store has, or will have once it has been told; 0 if the next use is to tell it.
    told_deadline: AtomicU64,
    record: Record,
}

/// What the cache has to know of an answer of the store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamp {
    /// When the store was asked, by this node's clock
    pub(crate) confirmed_at: Uptime,
    /// and in the order of what happened on this node.
    pub(crate) asked: u64,
    /// The generation that was current when the store was asked.
    pub(crate) generation: u64,
}

/// How exactly a node knows the last use, in milliseconds: one shared write per second is the most
/// that a hit may cost.
const USE_RESOLUTION: u64 = 1000;

impl Session {
    pub(crate) fn new(id: SessionId, record: Record, stamp: Stamp) -> Self {
        let idle_deadline = record.idle_deadline.as_millis();
        Self(Arc::new(Known {
            id,
            telling: AtomicBool::new(false),
            refreshing: AtomicBool::new(false),
            stamp,
            hard_end: record.hard_end(),
            idle_timeout: idle_timeout(&record),
            idle_deadline: AtomicU64::new(idle_deadline),
            told_deadline: AtomicU64::new(idle_deadline),
            record,
        }))
    }

    /// Takes over what this node knows of the session's use from an earlier answer of the store.
    ///
    /// What the store was told is not taken over: it has just said what it knows.
    pub(crate) fn continuing(self, earlier: &Self) -> Self {
        let deadline = earlier.0.idle_deadline.load(Ordering::Relaxed);
        self.0.idle_deadline.fetch_max(deadline, Ordering::Relaxed);
        self
    }

    /// The public name of the session: safe to show, to store and to log.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.0.id
    }

    /// Who logged in.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.0.record.identity
    }

    /// The mini program that the user logged in to.
    #[must_use]
    pub fn appid(&self) -> &str {
        self.identity().appid()
    }

    /// The user's name within that mini program.
    #[must_use]
    pub fn openid(&self) -> &str {
        self.identity().openid()
    }

    /// The user's name across the apps of one Open Platform account, where there is one.
    #[must_use]
    pub fn unionid(&self) -> Option<&str> {
        self.identity().unionid()
    }

    /// When the user logged in; a rotation keeps it.
    #[must_use]
    pub fn issued_at(&self) -> SystemTime {
        self.0.record.issued_at.into()
    }

    /// When the session ends however much it is used.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.0.record.absolute_end.into()
    }

    /// The earliest instant at which the session ends if it is not used again.
    #[must_use]
    pub fn idle_expires_at(&self) -> SystemTime {
        self.idle_deadline().into()
    }

    /// The application's data, fixed at login; `None` where none was given.
    ///
    /// # Errors
    ///
    /// If the data is not of type `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<Option<T>, DataError> {
        let data = self.0.record.data.as_deref();
        let data = data.filter(|data| *data != "null");
        data.map(data::from_json).transpose()
    }

    /// What all copies share.
    pub(crate) const fn known(&self) -> &Arc<Known> {
        &self.0
    }

    pub(crate) fn record(&self) -> &Record {
        &self.0.record
    }

    /// When the store was asked, in the order of what happened on this node.
    pub(crate) fn asked(&self) -> u64 {
        self.0.stamp.asked
    }

    /// Whether nothing was revoked near this session since the store was asked about it.
    #[inline]
    pub(crate) fn is_of(&self, generation: u64) -> bool {
        self.0.stamp.generation == generation
    }

    #[inline]
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            record: &self.0.record,
            hard_end: self.0.hard_end,
            idle_deadline: self.idle_deadline(),
            confirmed_at: self.0.stamp.confirmed_at,
            asked: self.0.stamp.asked,
        }
    }

    /// Its part of a time over which sessions are spread.
    pub(crate) fn share(&self) -> Share {
        let [.., high, low] = *self.0.id.as_bytes();
        Share(u16::from_be_bytes([high, low]))
    }

    /// When the session is over, as far as this node knows, if nothing more happens to it.
    pub(crate) fn end(&self) -> Timestamp {
        self.0.hard_end.min(self.idle_deadline())
    }

    #[inline]
    fn idle_deadline(&self) -> Timestamp {
        Timestamp::from_millis(self.0.idle_deadline.load(Ordering::Relaxed))
    }

    /// Notes a use; returns the touch that the store is owed, at most one per tenth of the idle
    /// timeout and one at a time.
    #[inline]
    pub(crate) fn note_use(&self, now: Timestamp) -> Option<Touch> {
        let known = &self.0;
        let deadline = self.deadline_of(now);
        let seen = known.idle_deadline.load(Ordering::Relaxed);
        if deadline >= seen.saturating_add(USE_RESOLUTION) {
            known.idle_deadline.fetch_max(deadline, Ordering::SeqCst);
        }
        let is_owed = deadline >= known.told_deadline.load(Ordering::SeqCst);
        (is_owed && self.start_telling()).then(|| self.touch_for(deadline))
    }

    /// The store was told of `touch`, and has this idle deadline now unless it refused; returns the
    /// next touch if a later use is owed already.
    ///
    /// After a refusal it counts as told: it would refuse each use.
    pub(crate) fn told(&self, touch: &Touch, idle_deadline: Option<Timestamp>) -> Option<Touch> {
        let known = &self.0;
        if let Some(deadline) = idle_deadline {
            let (deadline, needed) = (deadline.as_millis(), self.deadline_of(touch.used_at));
            // A store whose clock is behind covers a use only later. It is not asked each time.
            let told = match deadline > needed {
                true => deadline,
                false => needed.saturating_add(USE_RESOLUTION),
            };
            known.told_deadline.store(told, Ordering::SeqCst);
        }
        known.telling.store(false, Ordering::SeqCst);
        // Read afterwards: a use that came before found the store being told, or what it was going
        // to be told, and left it at that.
        let deadline = known.idle_deadline.load(Ordering::SeqCst);
        let is_later = self.use_behind(deadline) > touch.used_at;
        let is_owed = is_later && deadline > known.told_deadline.load(Ordering::SeqCst);
        let next = (is_owed && self.start_telling()).then(|| self.touch_for(deadline));
        // Used without a gap since what the store has just taken.
        next.map(|next| next.in_use_since(touch.used_at))
    }

    /// Nobody can tell the store: the next use tries again.
    pub(crate) fn forget_touch(&self) {
        self.0.told_deadline.store(0, Ordering::Relaxed);
        self.0.telling.store(false, Ordering::Release);
    }

    /// The same touch, with a later use of the session if its slack does not cover that.
    pub(crate) fn latest(&self, touch: Touch) -> Touch {
        let covered = Timestamp::from_millis(self.deadline_of(touch.used_at)).after(touch.slack);
        let deadline = self.0.idle_deadline.load(Ordering::SeqCst);
        let used_at = match deadline > covered.as_millis() {
            true => self.use_behind(deadline),
            false => touch.used_at,
        };
        Touch { used_at, ..touch }
    }

    /// Whether the caller is the one to tell the store.
    fn start_telling(&self) -> bool {
        !self.0.telling.swap(true, Ordering::SeqCst)
    }

    /// Tells of the use that has led to this idle deadline.
    fn touch_for(&self, deadline: u64) -> Touch {
        let touch = Touch::new(self.id(), self.use_behind(deadline), self.slack());
        // What it will be, so that nobody else tells the store in the meantime.
        let told_deadline = Timestamp::from_millis(deadline).after(touch.slack);
        (self.0.told_deadline).store(told_deadline.as_millis(), Ordering::Relaxed);
        touch
    }

    fn deadline_of(&self, used_at: Timestamp) -> u64 {
        used_at.as_millis().saturating_add(self.0.idle_timeout)
    }

    fn use_behind(&self, deadline: u64) -> Timestamp {
        Timestamp::from_millis(deadline.saturating_sub(self.0.idle_timeout))
    }

    fn slack(&self) -> Duration {
        Duration::from_millis(self.0.idle_timeout / 10)
    }

    /// Whether the caller is the one to confirm this session in the background.
    pub(crate) fn start_refresh(&self) -> bool {
        !self.0.refreshing.swap(true, Ordering::Relaxed)
    }
}

/// In milliseconds. What is longer than thousands of years leaves room for a slack all the same.
fn idle_timeout(record: &Record) -> u64 {
    const LONGEST: u64 = 1 << 47;
    let millis = u64::try_from(record.idle_timeout.as_millis());
    millis.map_or(LONGEST, |millis| millis.min(LONGEST))
}

impl From<Arc<Known>> for Session {
    fn from(known: Arc<Known>) -> Self {
        Self(known)
    }
}

impl Known {
    pub(crate) fn is(&self, id: SessionId) -> bool {
        self.id == id
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id())
            .field("identity", self.identity())
            .field("issued_at", &self.0.record.issued_at)
            .field("expires_at", &self.0.record.absolute_end)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    fn session(idle_timeout: Duration) -> Session {
        let alice = Identity::new("appid", "alice");
        let record = Record::issued(alice, at(0), Duration::MAX, idle_timeout, None);
        Session::new(SessionId::from_bytes([0; 18]), record, Stamp::default())
    }

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_store_is_owed_a_touch_when_its_deadline_no_longer_covers_the_use() {
        let session = session(10 * HOUR);
        let touch = session.note_use(at(1)).unwrap();
        assert_eq!(touch, Touch::new(session.id(), at(1), HOUR));
        assert_eq!(session.note_use(at(2)), None, "one at a time");
        assert_eq!(session.latest(touch), touch, "the slack covers it");

        // Another node has told of a use half an hour ago.
        let covered = at(1).after(10 * HOUR + HOUR / 2);
        assert_eq!(session.told(&touch, Some(covered)), None);
        assert_eq!(session.note_use(at(1799)), None);
        assert!(session.note_use(at(1801)).is_some());
    }

    #[test]
    fn a_use_while_the_store_is_told_of_an_earlier_one_is_not_lost() {
        let session = session(10 * HOUR);
        let touch = session.note_use(at(1)).unwrap();
        assert_eq!(session.note_use(at(4000)), None);
        let told = Some(at(1).after(11 * HOUR));
        let next = session.told(&touch, told).unwrap();
        assert_eq!(
            next,
            Touch::new(session.id(), at(4000), HOUR).in_use_since(at(1))
        );
        assert_eq!(session.told(&next, Some(at(4000).after(11 * HOUR))), None);
    }

    #[test]
    fn what_is_told_late_is_the_last_use_since_the_first_that_was_not_told() {
        let session = session(10 * HOUR);
        let touch = session.note_use(at(1)).unwrap();
        let mut latest = touch;
        // Each second one is covered by the slack of the one before it.
        for hours in 1..=31 {
            assert_eq!(session.note_use(at(hours * 3600 + 2)), None);
            latest = session.latest(latest);
        }
        let last = Touch::new(session.id(), at(31 * 3600 + 2), HOUR);
        assert_eq!(latest, last.in_use_since(at(1)));
    }

    #[test]
    fn a_store_whose_clock_is_far_behind_is_told_once_a_second() {
        let session = session(10 * HOUR);
        let touch = session.note_use(at(7200)).unwrap();
        let behind = Some(at(1).after(11 * HOUR));
        assert_eq!(session.told(&touch, behind), None);
        assert_eq!(session.note_use(at(7200)), None);
        assert!(session.note_use(at(7201)).is_some());
    }

    #[test]
    fn a_session_that_never_idles_owes_nothing() {
        let session = session(Duration::MAX);
        assert_eq!(session.note_use(at(1)), None);
        assert_eq!(session.note_use(at(1_000_000_000)), None);
    }
}
