use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Node;
use crate::identity::Identity;
use crate::session_key::SessionKey;
use crate::store::{PutSessionKey, SessionStore, StoreError};
use crate::time::Timestamp;

/// How long the keys of the logins before the newest one are kept: data that a client encrypted just
/// before it logged in again may still be on its way.
const PREVIOUS_KEPT: Duration = Duration::from_secs(60 * 60);

/// The session_keys of a user that are still kept.
///
/// A client that logs in in parallel gets a key with each login, and only the platform knows which
/// one it takes for the last: here it is the one whose login began last. So try them all, newest
/// first, before data counts as forged. With the feature `crypto`, `Sessions::open_data` does.
///
/// ```
/// # use tower_wx_session::{Identity, Sessions, sessions::SessionKeyError, store::MemoryStore};
/// # fn open(data: &str, key: &str) -> Option<String> { None }
/// # async fn decrypt(sessions: Sessions<MemoryStore>, user: Identity, data: &str) -> Result<Option<String>, SessionKeyError> {
/// let keys = sessions.session_key(&user).await?;
/// let opened = keys.iter().find_map(|key| open(data, key.expose()));
/// # Ok(opened)
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionKeys {
    newest_first: Vec<SessionKey>,
}

impl SessionKeys {
    /// The key of the user's last login; `None` if there was none, or it is too long ago.
    #[must_use]
    pub const fn newest(&self) -> Option<&SessionKey> {
        self.newest_first.as_slice().first()
    }

    /// The key before that, for an hour after it was replaced: try it where the newest one fails.
    #[must_use]
    pub const fn previous(&self) -> Option<&SessionKey> {
        match self.newest_first.as_slice() {
            [_, previous, ..] => Some(previous),
            _ => None,
        }
    }

    /// All of them, newest first: at most five, each but the newest for an hour after it was replaced.
    pub fn iter(&self) -> impl Iterator<Item = &SessionKey> {
        self.newest_first.iter()
    }
}

/// Keys of your own, newest first.
impl FromIterator<SessionKey> for SessionKeys {
    fn from_iter<I: IntoIterator<Item = SessionKey>>(newest_first: I) -> Self {
        Self {
            newest_first: newest_first.into_iter().collect(),
        }
    }
}

impl From<SessionKey> for SessionKeys {
    fn from(key: SessionKey) -> Self {
        Self::from_iter([key])
    }
}

impl<S: SessionStore> Node<S> {
    /// Keeps the session_key of a login that began at a time of the fleet's clock.
    pub(crate) async fn put_session_key(
        self: &Arc<Self>,
        user: &Identity,
        key: &SessionKey,
        began: Timestamp,
    ) -> Result<(), SessionKeyError> {
        let keep = self.config.lifetime;
        self.put_key(user, key, began, (keep, PREVIOUS_KEPT)).await
    }

    /// Keeps the session_key that took the place of one that may have leaked: that one, which would
    /// open what its thief has encrypted, is forgotten.
    #[cfg(feature = "wechat")]
    pub(crate) async fn put_reset_session_key(
        self: &Arc<Self>,
        user: &Identity,
        key: &SessionKey,
        began: Timestamp,
    ) -> Result<(), SessionKeyError> {
        let keep = self.config.lifetime;
        self.put_key(user, key, began, (keep, Duration::ZERO)).await
    }

    /// Keeps a key, and those before it, for so long.
    pub(super) async fn put_key(
        self: &Arc<Self>,
        user: &Identity,
        key: &SessionKey,
        began: Timestamp,
        (keep, keep_previous): (Duration, Duration),
    ) -> Result<(), SessionKeyError> {
        let bytes = match &self.config.seal {
            Some(seal) => seal.seal(user, key)?,
            None => self.unless_shared(|| key.expose().as_bytes().to_vec())?,
        };
        let put = PutSessionKey::new(user.clone(), bytes, fingerprint(key), keep, keep_previous)
            .began_at(began);
        let bucket = user.bucket();
        let put = (self.upstream).write(bucket, |store| store.put_session_key(put));
        put.await?;
        self.upstream.note_written(bucket);
        Ok(())
    }

    pub(crate) async fn session_keys(
        self: &Arc<Self>,
        user: &Identity,
    ) -> Result<SessionKeys, SessionKeyError> {
        if self.config.seal.is_none() {
            self.unless_shared(|| ())?;
        }
        let of = user.clone();
        let keys = (self.upstream).read(user.bucket(), |store| store.session_keys(of));
        let keys = self.in_time(keys).await?;
        let keys = keys.into_iter().filter_map(|key| match &self.config.seal {
            Some(seal) => seal.open(user, &key),
            None => String::from_utf8(key).ok().map(SessionKey::new),
        });
        Ok(keys.collect())
    }

    fn unless_shared<T>(&self, then: impl FnOnce() -> T) -> Result<T, SessionKeyError> {
        if self.upstream.is_shared() {
            Err(SessionKeyError::NotKept)
        } else {
            Ok(then())
        }
    }
}

/// A key has 128 random bits, so that its digest does not give it away.
fn fingerprint(key: &SessionKey) -> [u8; 16] {
    let digest = Sha256::digest(key.expose());
    std::array::from_fn(|i| digest[i])
}

/// A session_key can be neither kept nor read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionKeyError {
    /// Other processes can read the store, so session_keys are not kept in it unsealed.
    NotKept,
    /// The store is unavailable.
    Unavailable(StoreError),
}

impl From<StoreError> for SessionKeyError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl fmt::Display for SessionKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotKept => {
                "session_keys are not kept: other processes can read the store, and there is no \
                 seal_key to seal them with"
            }
            Self::Unavailable(_) => "session_key not available",
        })
    }
}

impl Error for SessionKeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotKept => None,
            Self::Unavailable(error) => Some(error),
        }
    }
}
