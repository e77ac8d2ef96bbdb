use std::fmt;
use std::time::Duration;

use crate::Identity;

/// A session_key to keep, as the bytes that a store may see.
#[derive(Clone)]
#[non_exhaustive]
pub struct PutSessionKey {
    /// Whose key it is.
    pub user: Identity,
    /// The key, sealed where the store is shared.
    pub key: Vec<u8>,
    /// Tells whether two keys are the same, however they are sealed.
    pub fingerprint: [u8; 16],
    /// How long it is kept.
    pub keep: Duration,
    /// How long the one before it is kept from now on.
    pub keep_previous: Duration,
}

impl PutSessionKey {
    /// A key to keep for `keep`, and the one before it for `keep_previous`.
    #[must_use]
    pub const fn new(
        user: Identity,
        key: Vec<u8>,
        fingerprint: [u8; 16],
        keep: Duration,
        keep_previous: Duration,
    ) -> Self {
        Self {
            user,
            key,
            fingerprint,
            keep,
            keep_previous,
        }
    }
}

impl fmt::Debug for PutSessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutSessionKey")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
