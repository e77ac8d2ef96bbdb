use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::api_error::ApiError;
use super::provider::WeChat;
use crate::identity::Identity;
use crate::session_key::SessionKey;

/// One of a user's keys for encrypting what the mini program and the server send each other.
///
/// The mini program has it from `UserCryptoManager.getLatestUserKey`, by its `version`. Its `Debug` is
/// redacted.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct EncryptionKey {
    encrypt_key: String,
    iv: String,
    version: i64,
    expire_in: i64,
    create_time: i64,
}

impl EncryptionKey {
    /// The key, in base64 (16 bytes): never log it, never send it to a client.
    #[must_use]
    pub fn expose_key(&self) -> &str {
        &self.encrypt_key
    }

    /// The initial vector: 16 characters.
    #[must_use]
    pub fn expose_iv(&self) -> &str {
        &self.iv
    }

    /// Its number; the client sends it along.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// How long it is still good, of an hour in all; zero if it is over.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        Duration::from_secs(self.expire_in.try_into().unwrap_or_default())
    }

    /// When it was made, in seconds since the Unix epoch.
    #[must_use]
    pub const fn created_at(&self) -> i64 {
        self.create_time
    }
}

impl WeChat {
    /// `getUserEncryptKey`: the last three keys of a user, each good for an hour, the newest first.
    ///
    /// # Errors
    ///
    /// [`SessionKeyOver`](super::ApiErrorKind::SessionKeyOver) if WeChat does not take the
    /// session_key: the client has to log in.
    pub async fn encryption_keys(
        &self,
        user: &Identity,
        key: &SessionKey,
    ) -> Result<Vec<EncryptionKey>, ApiError> {
        let fields = self.signed("/wxa/business/getuserencryptkey", user, key);
        let keys = fields.await?.read("key_info_list");
        keys.map_err(|failure| ApiError::failed(failure, &[]))
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionKey")
            .field("version", &self.version)
            .field("expire_in", &self.expire_in)
            .finish_non_exhaustive()
    }
}
