use std::error::Error;
use std::fmt;

use super::api_error::{ApiError, ApiErrorKind};
use super::provider::WeChat;
use crate::identity::Identity;
use crate::platform::api::{Call, Fields};
use crate::session_key::{SessionKey, SessionKeyCheck, Validity};
use crate::sessions::{SessionKeyError, Sessions};
use crate::store::SessionStore;

/// `checkSessionKey`: whether WeChat still takes a session_key.
///
/// WeChat says 0 for a good one and 87009, or 87007, for one that is over or was never the user's.
/// Whatever else it says, 40001 included, is not about the key: it cannot tell, and the cause is an
/// [`ApiError`](super::ApiError). It knows the apps that it is configured for.
impl SessionKeyCheck for WeChat {
    async fn check_session_key(&self, user: &Identity, key: &SessionKey) -> Validity {
        match self.signed("/wxa/checksession", user, key).await {
            Ok(fields) if matches!(fields.optional_code("errcode"), Ok(Some(_))) => Validity::Valid,
            // Not WeChat's answer, such as a gateway's: nobody has looked at the key.
            Ok(_) => Validity::cannot_tell("an answer without an errcode"),
            Err(error) if error.kind() == ApiErrorKind::SessionKeyOver => Validity::Over,
            Err(error) => Validity::cannot_tell(error),
        }
    }

    fn knows(&self, appid: &str) -> bool {
        self.server.app(appid).is_ok()
    }
}

impl WeChat {
    /// `resetUserSessionKey`: puts another session_key in the place of one that may have leaked.
    ///
    /// The old key is dead at once, also for data that the client is about to send. The new one ends
    /// when the old one would have: it is not for renewing. Keep it with
    /// [`Sessions::put_session_key`], or [`reset_kept_session_key`](Self::reset_kept_session_key)
    /// does both. WeChat allows 60 000 calls a minute, and few for one user.
    ///
    /// # Errors
    ///
    /// [`SessionKeyOver`](ApiErrorKind::SessionKeyOver) if WeChat does not take the old key. After
    /// [`Unavailable`](ApiErrorKind::Unavailable) either key may be the good one, and nobody knows the
    /// new one: the client has to log in.
    pub async fn reset_session_key(
        &self,
        user: &Identity,
        key: &SessionKey,
    ) -> Result<SessionKey, ApiError> {
        let fields = self.signed("/wxa/resetusersessionkey", user, key).await?;
        let new = fields.require("session_key").map(SessionKey::new);
        new.map_err(|failure| ApiError::failed(failure, &[]))
    }

    /// Resets the session_key that is kept of a user's last login, keeps the new one, and forgets the
    /// old one: whoever has it could still encrypt data that it opens.
    ///
    /// A login that begins meanwhile stays the newest.
    ///
    /// # Errors
    ///
    /// See [`ResetError`]: if the store fails after the reset, the new key is in the error.
    pub async fn reset_kept_session_key<S: SessionStore>(
        &self,
        sessions: &Sessions<S>,
        user: &Identity,
    ) -> Result<SessionKey, ResetError> {
        let node = sessions.node();
        let clock = node.learn_clock().await;
        clock.map_err(|error| ResetError::Store(error.into()))?;
        let began = node.clock.now();
        let kept = node.session_keys(user).await.map_err(ResetError::Store)?;
        let old = kept.newest().ok_or(ResetError::NoKey)?;
        let new = self.reset_session_key(user, old).await;
        let new = new.map_err(ResetError::WeChat)?;
        match node.put_reset_session_key(user, &new, began).await {
            Ok(()) => Ok(new),
            Err(error) => Err(ResetError::NotKept(new, error)),
        }
    }

    /// Calls an API without a body that wants to see that we have the user's session_key.
    pub(super) async fn signed(
        &self,
        path: &'static str,
        user: &Identity,
        key: &SessionKey,
    ) -> Result<Fields, ApiError> {
        let signature = key.sign(b"");
        let call = |token: &str| {
            Call::get(path).query(&[
                ("access_token", token),
                ("openid", user.openid()),
                ("signature", &signature),
                ("sig_method", "hmac_sha256"),
            ])
        };
        let secrets = [key.expose(), &*signature];
        self.server.call(user.appid(), &secrets, call).await
    }
}

/// Why a kept session_key was not reset.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ResetError {
    /// No session_key is kept of this user.
    NoKey,
    /// The kept one cannot be read; nothing was reset.
    Store(SessionKeyError),
    /// WeChat did not reset it.
    WeChat(ApiError),
    /// It was reset, and the new one, which is here, could not be kept: the kept one is dead. Try
    /// [`Sessions::put_session_key`] again.
    NotKept(SessionKey, SessionKeyError),
}

impl fmt::Display for ResetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "no session_key of this user is kept",
            Self::Store(_) => "the kept session_key cannot be read",
            Self::WeChat(_) => "session_key not reset",
            Self::NotKept(..) => "session_key reset, but the new one could not be kept",
        })
    }
}

impl Error for ResetError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoKey => None,
            Self::Store(error) | Self::NotKept(_, error) => Some(error),
            Self::WeChat(error) => Some(error),
        }
    }
}
