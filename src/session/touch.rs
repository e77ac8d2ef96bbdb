use std::time::Duration;

use crate::time::Timestamp;
use crate::token::SessionId;

/// Uses of a session, for the store: they never create or revive one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Touch {
    /// The session that was used.
    pub id: SessionId,
    /// The first use that is not in the store. From then until `used_at` the session was
    /// never unused for as long as its idle timeout. A store accepts it up to the idle deadline
    /// that it has recorded.
    pub since: Timestamp,
    /// The last use.
    pub used_at: Timestamp,
    /// How far the new deadline lies beyond `used_at` and the idle timeout: later uses within
    /// this span come without a touch.
    pub slack: Duration,
}

impl Touch {
    /// One use of `id` at `used_at`; see the fields.
    #[must_use]
    pub const fn new(id: SessionId, used_at: Timestamp, slack: Duration) -> Self {
        Self {
            id,
            since: used_at,
            used_at,
            slack,
        }
    }

    /// The last of several uses, of which `first` was the first: they could not be written.
    #[must_use]
    pub const fn in_use_since(self, first: Timestamp) -> Self {
        Self {
            since: first,
            ..self
        }
    }
}
