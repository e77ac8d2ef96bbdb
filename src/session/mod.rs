//! A session as handlers see it, and the decision whether it is live.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;

use crate::time::Timestamp;
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
pub struct Session(Arc<Inner>);

struct Inner {
    id: SessionId,
    record: Record,
    stamp: Stamp,
    /// The last use seen on this node, exact to [`USE_RESOLUTION`].
    last_used: AtomicU64,
    /// The last use that the store was told of, or is being told of.
    touched: AtomicU64,
    /// Whether a confirmation is under way in the background.
    refreshing: AtomicBool,
}

/// What the cache has to know of an answer of the store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamp {
    /// When the store was asked.
    pub(crate) confirmed_at: Timestamp,
    /// The generation that was current when the store was asked.
    pub(crate) generation: u64,
}

/// How exactly a node knows the last use: one shared write per second is the most a hit may cost.
const USE_RESOLUTION: Duration = Duration::from_secs(1);

impl Session {
    pub(crate) fn new(id: SessionId, record: Record, stamp: Stamp) -> Self {
        let last_used = record.last_used.unwrap_or(record.issued_at).as_millis();
        Self(Arc::new(Inner {
            id,
            // A session never used is told to the store at its first use.
            touched: AtomicU64::new(record.last_used.map_or(0, Timestamp::as_millis)),
            last_used: AtomicU64::new(last_used),
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
        let record = &self.0.record;
        let retires_at = record.retires_at.unwrap_or(record.absolute_end);
        record.absolute_end.min(retires_at).into()
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
        self.0
            .record
            .data
            .as_deref()
            .map(data::from_json)
            .transpose()
    }

    pub(crate) fn record(&self) -> &Record {
        &self.0.record
    }

    /// Whether nothing was revoked near this session since the store was asked about it.
    pub(crate) fn is_of(&self, generation: u64) -> bool {
        self.0.stamp.generation == generation
    }

    pub(crate) fn facts(&self) -> Facts {
        let record = &self.0.record;
        Facts {
            absolute_end: record.absolute_end,
            idle_deadline: self.idle_deadline(),
            retires_at: record.retires_at,
            confirmed_at: self.0.stamp.confirmed_at,
        }
    }

    /// The store's deadline, or what the last use on this node makes of it.
    fn idle_deadline(&self) -> Timestamp {
        let record = &self.0.record;
        let last_used = Timestamp::from_millis(self.0.last_used.load(Ordering::Relaxed));
        record
            .idle_deadline
            .max(last_used.after(record.idle_timeout))
    }

    /// How long the session lasts from `now` if it is not used again.
    pub(crate) fn lasts_unused(&self, now: Timestamp) -> Duration {
        self.idle_deadline()
            .min(self.0.record.absolute_end)
            .since(now)
    }

    /// Notes a use; returns the touch that the store is owed, at most one per tenth of the idle
    /// timeout.
    pub(crate) fn note_use(&self, now: Timestamp) -> Option<Touch> {
        let last_used = Timestamp::from_millis(self.0.last_used.load(Ordering::Relaxed));
        if now.since(last_used) >= USE_RESOLUTION {
            self.0.last_used.store(now.as_millis(), Ordering::Relaxed);
        }
        let slack = self.0.record.idle_timeout / 10;
        let touched = self.0.touched.load(Ordering::Relaxed);
        let owed = now.since(Timestamp::from_millis(touched)) >= slack;
        let touch = Touch {
            id: self.id(),
            used_at: now,
            slack,
        };
        (owed && self.move_touched(touched, now.as_millis())).then_some(touch)
    }

    /// Has the next use touch again, because the store was not told of this one.
    pub(crate) fn forget_touch(&self, touch: &Touch) {
        self.move_touched(touch.used_at.as_millis(), 0);
    }

    fn move_touched(&self, from: u64, to: u64) -> bool {
        self.0
            .touched
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether the caller is the one to confirm this session in the background.
    pub(crate) fn start_refresh(&self) -> bool {
        !self.0.refreshing.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn end_refresh(&self) {
        self.0.refreshing.store(false, Ordering::Relaxed);
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
