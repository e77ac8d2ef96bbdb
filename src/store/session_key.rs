use std::fmt;
use std::time::Duration;

use crate::identity::Identity;
use crate::time::Timestamp;

/// How many session_keys of a user are kept: of logins in parallel, any may have been the last at the
/// platform.
pub(crate) const SESSION_KEYS: usize = 5;

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
    /// How long one that is not the newest is kept from the moment on at which it is not.
    pub keep_previous: Duration,
    /// When its login began, which says which key is the newest; `None` for now.
    pub began: Option<Timestamp>,
}

impl PutSessionKey {
    /// A key to keep for `keep`, and those before it for `keep_previous`, of a login that began now.
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
            began: None,
        }
    }

    /// Says when the login began, on the store's clock; a time to come counts as now.
    #[must_use]
    pub fn began_at(self, began: Timestamp) -> Self {
        Self {
            began: Some(began),
            ..self
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
