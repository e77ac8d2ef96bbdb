use std::sync::Arc;
use std::time::Duration;

use crate::identity::Identity;
use crate::session::{EndReason, Record, Session};
use crate::time::Timestamp;
use crate::token::{SessionId, SessionToken};

/// A new session to keep.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Insert {
    /// The session's name, made from a fresh token.
    pub id: SessionId,
    /// What to keep of it.
    pub record: Record,
    /// How many sessions of the user may be live afterwards, those in their grace not counted.
    pub cap: Option<usize>,
    /// The session that the new one takes over from.
    pub retire: Option<Retire>,
}

impl Insert {
    /// A session without a cap that takes over from none.
    #[must_use]
    pub const fn new(id: SessionId, record: Record) -> Self {
        Self {
            id,
            record,
            cap: None,
            retire: None,
        }
    }

    /// Whether it reads and changes no other session.
    pub(crate) const fn concerns_no_other(&self) -> bool {
        self.cap.is_none() && self.retire.is_none()
    }
}

/// A session that a newer one takes over from.
///
/// It is left alone unless it is live, of the same user and not retired already.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Retire {
    /// The session to retire.
    pub id: SessionId,
    /// How long it stays good.
    pub grace: Duration,
}

impl Retire {
    /// Retires `id` after `grace`.
    #[must_use]
    pub const fn new(id: SessionId, grace: Duration) -> Self {
        Self { id, grace }
    }
}

/// What became of an [`Insert`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The session is kept; these went over the cap and ended with [`EndReason::Replaced`].
    Kept(Vec<SessionId>),
    /// Another session has this id; nothing was changed.
    Taken,
}

/// What a store knows of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// The session is live.
    Live(Record),
    /// The session is over.
    Ended {
        /// Why.
        reason: EndReason,
        /// Since when.
        at: Timestamp,
    },
    /// No such session was ever there, or it is long forgotten.
    NeverSeen,
}

impl Loaded {
    /// Why the session is over, if it is and the store remembers.
    #[must_use]
    pub const fn end_reason(&self) -> Option<EndReason> {
        match self {
            Self::Ended { reason, .. } => Some(*reason),
            Self::Live(_) | Self::NeverSeen => None,
        }
    }
}

/// A session to put in the place of another.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rotate {
    /// The session to retire.
    pub old: SessionId,
    /// The name of its successor, in the same bucket.
    pub new: SessionId,
    /// How long the old one stays good.
    pub grace: Duration,
    /// The successor's data; the old session's if there is none here.
    pub data: Option<Arc<str>>,
}

impl Rotate {
    /// Puts `new` in the place of `old`, with the same data.
    #[must_use]
    pub const fn new(old: SessionId, new: SessionId, grace: Duration) -> Self {
        Self {
            old,
            new,
            grace,
            data: None,
        }
    }
}

/// What became of a [`Rotate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The successor's record.
    Done(Record),
    /// The session is over, or is retired already.
    Ended(EndReason),
    /// No such session is known.
    NeverSeen,
    /// Another session has the successor's id; nothing was changed.
    Taken,
}

/// Which sessions to end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// One session.
    Session(SessionId),
    /// Every session of a user.
    User(Identity),
    /// Every session of a user but this one and what took its place.
    Others {
        /// The user.
        user: Identity,
        /// The session that stays.
        keep: SessionId,
    },
}

impl Target {
    /// The bucket that all the sessions are in.
    pub(crate) fn bucket(&self) -> [u8; 2] {
        match self {
            Self::Session(id) => id.bucket(),
            Self::User(user) | Self::Others { user, .. } => user.bucket(),
        }
    }

    /// The one session that is meant, if it is one.
    pub(crate) const fn session(&self) -> Option<SessionId> {
        match self {
            Self::Session(id) => Some(*id),
            Self::User(_) | Self::Others { .. } => None,
        }
    }

    /// Whose sessions are meant, if they are several.
    pub(crate) const fn user(&self) -> Option<&Identity> {
        match self {
            Self::Session(_) => None,
            Self::User(user) | Self::Others { user, .. } => Some(user),
        }
    }
}

impl From<SessionId> for Target {
    fn from(id: SessionId) -> Self {
        Self::Session(id)
    }
}

impl From<&SessionToken> for Target {
    fn from(token: &SessionToken) -> Self {
        Self::Session(token.id())
    }
}

impl From<&Session> for Target {
    fn from(session: &Session) -> Self {
        Self::Session(session.id())
    }
}

impl From<Identity> for Target {
    fn from(user: Identity) -> Self {
        Self::User(user)
    }
}

impl From<&Identity> for Target {
    fn from(user: &Identity) -> Self {
        Self::User(user.clone())
    }
}

/// Sessions to end, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoke {
    /// Which sessions.
    pub target: Target,
    /// Why.
    pub reason: RevokeReason,
    /// Spares sessions issued later than this, for a revocation that comes late.
    pub issued_by: Option<Timestamp>,
}

impl Revoke {
    /// Ends the target's sessions, whenever they were issued.
    pub fn new(target: impl Into<Target>, reason: RevokeReason) -> Self {
        Self {
            target: target.into(),
            reason,
            issued_by: None,
        }
    }
}

/// Why a session is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevokeReason {
    /// The user logs out.
    LoggedOut,
    /// An administrator ends it.
    KickedOut,
    /// A newer login takes its place.
    Replaced,
    /// The platform calls the user's session_key over.
    SessionKeyExpired,
}

impl From<RevokeReason> for EndReason {
    fn from(reason: RevokeReason) -> Self {
        match reason {
            RevokeReason::LoggedOut => Self::LoggedOut,
            RevokeReason::KickedOut => Self::KickedOut,
            RevokeReason::Replaced => Self::Replaced,
            RevokeReason::SessionKeyExpired => Self::SessionKeyExpired,
        }
    }
}
