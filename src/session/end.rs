use serde::{Deserialize, Serialize};

use crate::rejection::RejectionKind;
use crate::time::Timestamp;

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EndReason {
    /// The user logged out.
    LoggedOut,
    /// An administrator ended it.
    KickedOut,
    /// A newer login or a rotation took its place.
    Replaced,
    /// The platform called the user's session_key over.
    SessionKeyExpired,
    /// The absolute lifetime has passed.
    Expired,
    /// The idle timeout has passed.
    Idle,
}

impl EndReason {
    /// Why a session is over whose hard end has passed.
    pub(super) fn of_hard_end(retires_at: Option<Timestamp>, now: Timestamp) -> Self {
        match retires_at {
            Some(end) if now >= end => Self::Replaced,
            _ => Self::Expired,
        }
    }
}

impl From<EndReason> for RejectionKind {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::LoggedOut => Self::SessionRevoked,
            EndReason::KickedOut => Self::SessionKickedOut,
            EndReason::Replaced => Self::SessionReplaced,
            EndReason::SessionKeyExpired => Self::SessionKeyExpired,
            EndReason::Expired => Self::SessionExpired,
            EndReason::Idle => Self::SessionIdleExpired,
        }
    }
}
