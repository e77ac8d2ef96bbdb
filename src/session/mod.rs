//! A session as handlers see it, and the decision whether it is live.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use serde::de::DeserializeOwned;

use crate::identity::Identity;
use crate::time::{Timestamp, Uptime};
use crate::token::SessionId;

mod data;
mod decision;
mod end;
mod record;
mod touch;
mod usage;

pub use self::data::DataError;
pub(crate) use self::data::to_json;
pub(crate) use self::decision::{
    Facts, Freshness, Gap, Share, StoreState, Verdict, decide, decide_in_gap,
};
pub use self::end::EndReason;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) use self::record::KEPT_FOR_LATE_USES;
pub use self::record::Record;
pub use self::touch::Touch;
pub(crate) use self::usage::Usage;

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
    /// Whether a confirmation in the background was started; if it fails, requests wait for one.
    refreshing: AtomicBool,
    stamp: Stamp,
    /// The record's: a hit looks no further.
    hard_end: Timestamp,
    usage: Usage,
    record: Record,
}

/// What the cache has to know of an answer of the store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamp {
    /// When it was read, by this node's clock
    pub(crate) confirmed_at: Uptime,
    /// and by its number of changes: what changed later may not be in it.
    pub(crate) as_of: u64,
}

impl Session {
    pub(crate) fn new(id: SessionId, record: Record, stamp: Stamp) -> Self {
        Self(Arc::new(Known {
            id,
            refreshing: AtomicBool::new(false),
            stamp,
            hard_end: record.hard_end(),
            usage: Usage::new(&record),
            record,
        }))
    }

    /// Takes over what this node knows of the session's use from an earlier answer of the store.
    /// What is written is not taken over: the store has just said what it has.
    pub(crate) fn continuing(self, earlier: &Self) -> Self {
        self.0.usage.take_over(&earlier.0.usage);
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

    /// The number of changes on this node when it was read.
    pub(crate) fn as_of(&self) -> u64 {
        self.0.stamp.as_of
    }

    #[inline]
    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            record: &self.0.record,
            hard_end: self.0.hard_end,
            idle_deadline: self.idle_deadline(),
            confirmed_at: self.0.stamp.confirmed_at,
            as_of: self.0.stamp.as_of,
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
        self.0.usage.idle_deadline()
    }

    /// When it was used, and what of that is written.
    #[inline]
    pub(crate) fn usage(&self) -> &Usage {
        &self.0.usage
    }

    /// Whether the caller is the one to confirm this session in the background.
    pub(crate) fn start_refresh(&self) -> bool {
        // Relaxed: it chooses one of those who come at the same time and orders nothing else.
        !self.0.refreshing.swap(true, Ordering::Relaxed)
    }
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
