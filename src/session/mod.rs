//! A session as handlers see it, and the decision whether it is live.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use crate::time::{Timestamp, Uptime};
use crate::{Identity, SessionId};

mod data;
mod decision;
mod end;
mod record;
mod touch;

pub use self::data::DataError;
pub(crate) use self::data::to_json;
pub(crate) use self::decision::{Facts, Freshness, StoreState, Verdict, decide};
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
/// What a hit looks at comes first: two or three lines of the processor's cache.
#[repr(C)]
pub(crate) struct Known {
    id: SessionId,
    /// Whether the store is being told of a use.
    telling: AtomicBool,
    /// Whether a confirmation in the background was started; if it fails, requests wait for one.
    refreshing: AtomicBool,
    stamp: Stamp,
    /// The last use seen on this node, exact to [`USE_RESOLUTION`].
    last_used: AtomicU64,
    /// The store's idle deadline covers all uses before this, or will once it has been told.
    covered: AtomicU64,
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

/// How exactly a node knows the last use: one shared write per second is the most a hit may cost.
const USE_RESOLUTION: Duration = Duration::from_secs(1);

impl Session {
    pub(crate) fn new(id: SessionId, record: Record, stamp: Stamp) -> Self {
        let last_used = record.last_used.unwrap_or(record.issued_at).as_millis();
        Self(Arc::new(Known {
            id,
            covered: AtomicU64::new(covered_by(&record, record.idle_deadline)),
            last_used: AtomicU64::new(last_used),
            telling: AtomicBool::new(false),
            refreshing: AtomicBool::new(false),
            record,
            stamp,
        }))
    }

    /// Takes over what this node knows of the session's use from an earlier answer of the store.
    ///
    /// What the store was told is not taken over: it has just said what it knows.
    pub(crate) fn continuing(self, earlier: &Self) -> Self {
        let last_used = earlier.0.last_used.load(Ordering::Relaxed);
        self.0.last_used.fetch_max(last_used, Ordering::Relaxed);
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
    pub(crate) fn facts(&self) -> Facts {
        let record = &self.0.record;
        Facts {
            absolute_end: record.absolute_end,
            idle_deadline: self.idle_deadline(),
            retires_at: record.retires_at,
            confirmed_at: self.0.stamp.confirmed_at,
            asked: self.0.stamp.asked,
        }
    }

    /// When the session is over, as far as this node knows, if nothing more happens to it.
    pub(crate) fn end(&self) -> Timestamp {
        self.0.record.hard_end().min(self.idle_deadline())
    }

    /// The store's deadline, or what the last use on this node makes of it.
    #[inline]
    fn idle_deadline(&self) -> Timestamp {
        let record = &self.0.record;
        let last_used = Timestamp::from_millis(self.0.last_used.load(Ordering::Relaxed));
        record
            .idle_deadline
            .max(last_used.after(record.idle_timeout))
    }

    /// Notes a use; returns the touch that the store is owed, at most one per tenth of the idle
    /// timeout and one at a time.
    #[inline]
    pub(crate) fn note_use(&self, now: Timestamp) -> Option<Touch> {
        let last_used = Timestamp::from_millis(self.0.last_used.load(Ordering::Relaxed));
        if now >= last_used.after(USE_RESOLUTION) {
            self.0
                .last_used
                .fetch_max(now.as_millis(), Ordering::Relaxed);
        }
        (self.owes_touch(now) && !self.0.telling.swap(true, Ordering::SeqCst))
            .then(|| self.touch_at(now))
    }

    /// The store was told of `touch`, and has this idle deadline now unless it refused; returns the
    /// next touch if a later use is owed already.
    pub(crate) fn told(&self, touch: &Touch, idle_deadline: Option<Timestamp>) -> Option<Touch> {
        if let Some(deadline) = idle_deadline {
            let covered = covered_by(self.record(), deadline);
            self.0.covered.store(covered, Ordering::SeqCst);
        }
        self.0.telling.store(false, Ordering::SeqCst);
        // Read afterwards: a use that came before found the store being told, and left it at that.
        let last_used = Timestamp::from_millis(self.0.last_used.load(Ordering::SeqCst));
        let is_owed = last_used > touch.used_at && self.owes_touch(last_used);
        (is_owed && !self.0.telling.swap(true, Ordering::SeqCst)).then(|| self.touch_at(last_used))
    }

    /// Nobody can tell the store: the next use tries again.
    pub(crate) fn forget_touch(&self) {
        self.0.covered.store(0, Ordering::Relaxed);
        self.0.telling.store(false, Ordering::Release);
    }

    /// The use that the store is being told of.
    pub(crate) fn untold(&self) -> Option<Touch> {
        let is_telling = self.0.telling.load(Ordering::Acquire);
        is_telling.then(|| {
            let covered = Timestamp::from_millis(self.0.covered.load(Ordering::Relaxed));
            Touch::new(self.id(), covered.before(self.slack()), self.slack())
        })
    }

    #[inline]
    fn owes_touch(&self, now: Timestamp) -> bool {
        now.as_millis() >= self.0.covered.load(Ordering::Relaxed)
    }

    fn touch_at(&self, used_at: Timestamp) -> Touch {
        let slack = self.slack();
        // What it will be, so that nobody else tells the store in the meantime.
        let covered = used_at.after(slack).as_millis();
        self.0.covered.store(covered, Ordering::Relaxed);
        Touch::new(self.id(), used_at, slack)
    }

    fn slack(&self) -> Duration {
        self.0.record.idle_timeout / 10
    }

    /// Whether the caller is the one to confirm this session in the background.
    pub(crate) fn start_refresh(&self) -> bool {
        !self.0.refreshing.swap(true, Ordering::Relaxed)
    }
}

/// This idle deadline covers all uses before this, in milliseconds.
fn covered_by(record: &Record, idle_deadline: Timestamp) -> u64 {
    idle_deadline.before(record.idle_timeout).as_millis()
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
