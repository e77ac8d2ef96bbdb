use std::fmt;
use std::sync::Arc;

use super::api_error::ApiError;
use super::provider::WeChat;
use crate::config_error::ConfigError;
use crate::sessions::Sessions;
use crate::store::SessionStore;

/// The access_token of an app, for calls of WeChat's server APIs. Its `Debug` is redacted.
///
/// Whoever holds it acts as the app: it never leaves the server. It stands in the URLs of calls, so
/// keep those out of logs and errors (`reqwest::Error::without_url`).
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(Arc<str>);

impl AccessToken {
    /// The token itself: the only way out. Never log it, never send it to a client.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(..)")
    }
}

impl WeChat {
    /// The app's access_token, for calls of APIs that this crate has no method for.
    ///
    /// It comes from `stable_token`, which gives every node the same one. Ask for it at each call: it
    /// is kept, and fetched anew in the background in the last five minutes of its two hours. While
    /// that fails the old one is given until its end. All who ask at the same time share one request.
    ///
    /// # Errors
    ///
    /// If there is no such app, or WeChat gives no token.
    pub async fn access_token(&self, appid: &str) -> Result<AccessToken, ApiError> {
        self.server.token(appid).await.map(AccessToken)
    }

    /// The access_token to use after an API has refused this one: `errcode` 40001, 40014 or 42001.
    ///
    /// However many calls report the same token, one request fetches another. Should WeChat still
    /// hand out the refused one, it is made to replace it (`force_refresh`): at most once in 30 s and
    /// 20 times in 24 h of this process, as WeChat allows for an app. The methods of this type do all
    /// that by themselves; call again at most once.
    ///
    /// # Errors
    ///
    /// As [`access_token`](Self::access_token);
    /// [`RateLimited`](super::ApiErrorKind::RateLimited) if another one is to be had only later.
    pub async fn access_token_instead_of(
        &self,
        appid: &str,
        refused: &AccessToken,
    ) -> Result<AccessToken, ApiError> {
        let token = self.server.token_instead_of(appid, &refused.0).await;
        token.map(AccessToken)
    }

    /// Shares access tokens with other nodes through the store of these sessions, so that they ask
    /// WeChat less often. Also for the clones that exist already.
    ///
    /// A token is sealed as session_keys are, and kept until its end. A store that is unavailable
    /// means that WeChat is asked. The sessions are not kept alive by it.
    ///
    /// # Errors
    ///
    /// If other processes can read the store, and the sessions have no
    /// [`seal_key`](crate::sessions::SessionsBuilder::seal_key).
    ///
    /// ```
    /// use tower_wx_session::{Sessions, store::MemoryStore, wechat::WeChat};
    ///
    /// let sessions = Sessions::builder(MemoryStore::new()).seal_key([7; 32]).build()?;
    /// let wechat = WeChat::new("wx1", "secret of wx1").sharing_access_tokens(&sessions)?;
    /// # drop(wechat);
    /// # Ok::<_, tower_wx_session::sessions::ConfigError>(())
    /// ```
    pub fn sharing_access_tokens<S: SessionStore>(
        self,
        sessions: &Sessions<S>,
    ) -> Result<Self, ConfigError> {
        self.server.share_tokens(sessions)?;
        Ok(self)
    }
}
