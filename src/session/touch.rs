use std::time::Duration;

use crate::SessionId;
use crate::time::Timestamp;

/// A use of a session, for the store: it never creates or revives one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Touch {
    /// The session that was used.
    pub id: SessionId,
    /// When it was used; a store accepts it up to the idle deadline that it has recorded.
    pub used_at: Timestamp,
    /// How far the new deadline lies beyond `used_at` and the idle timeout: later uses within
    /// this span come without a touch.
    pub slack: Duration,
}

impl Touch {
    /// A use of `id` at `used_at`; see the fields.
    #[must_use]
    pub const fn new(id: SessionId, used_at: Timestamp, slack: Duration) -> Self {
        Self { id, used_at, slack }
    }
}
