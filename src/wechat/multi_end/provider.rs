use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::user::MultiEndUser;
use crate::config_error::ConfigError;
use crate::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
use crate::platform::api::{Apps, Call, User};
use crate::sessions::Sessions;
use crate::store::SessionStore;
use crate::wechat::api_error::ApiError;
use crate::wechat::server::Server;
use crate::wechat::token_source::Endpoint;
use crate::wechat::tokens::Tokens;

/// Logging in to multi-end apps (多端应用), by `code2Verifyinfo`.
///
/// The codes are those of `wx.weixinAppLogin`, `wx.weixinMiniProgramLogin`, `wx.phoneSmsLogin`,
/// `wx.appleLogin` and the one-click button; that of `wx.login` is none. The user's `openid` is the
/// `user_id` of the multi-end app, and there is no session_key. It is sent as the document says: a
/// GET with a body of JSON, and takes an access_token: so an exchange is one of the
/// [server APIs](crate::wechat#server-apis), of nearly always one request and up to five. Everything
/// else is as with [`WeChat`](crate::wechat::WeChat).
#[derive(Clone)]
pub struct MultiEnd {
    server: Server,
}

impl MultiEnd {
    /// One multi-end app, with the appid and the secret of that app: not those of the mini program or
    /// the mobile app.
    pub fn new(appid: impl Into<Arc<str>>, secret: impl Into<Arc<str>>) -> Self {
        Self {
            server: Server::new(Apps::new(appid, secret), Tokens::from(Endpoint::Replacing)),
        }
    }

    /// Adds an app; the client then has to name the one it logs in to.
    #[must_use]
    pub fn with_app(self, appid: impl Into<Arc<str>>, secret: impl Into<Arc<str>>) -> Self {
        Self {
            server: self.server.with_app(appid, secret),
        }
    }

    /// Replaces WeChat's hosts by one; see [`WeChat::with_base_url`](crate::wechat::WeChat::with_base_url).
    ///
    /// # Errors
    ///
    /// If it is no `http` or `https` URL, or has a query, a fragment or credentials.
    pub fn with_base_url(self, url: &str) -> Result<Self, ConfigError> {
        self.with_hosts(&[url])
    }

    /// Replaces WeChat's hosts; see [`WeChat::with_hosts`](crate::wechat::WeChat::with_hosts).
    ///
    /// # Errors
    ///
    /// If there is none, or for one of them as [`with_base_url`](Self::with_base_url).
    pub fn with_hosts(self, urls: &[&str]) -> Result<Self, ConfigError> {
        Ok(Self {
            server: self.server.with_hosts(urls)?,
        })
    }

    /// Sets how long a request may take, connecting and the body included (default 3 s).
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self {
            server: self.server.with_timeout(timeout),
        }
    }

    /// Takes access_tokens from `stable_token` in place of `token`.
    ///
    /// The documents of multi-end apps name `token` alone, each call of which replaces the token of
    /// the other nodes within five minutes; whether `stable_token` knows multi-end apps is not
    /// established.
    #[must_use]
    pub fn with_stable_token(self) -> Self {
        Self {
            server: (self.server).with_tokens(|tokens| tokens.at(Endpoint::Stable)),
        }
    }

    /// Shares access_tokens with other nodes, so that these do not replace each other's; see
    /// [`WeChat::sharing_access_tokens`](crate::wechat::WeChat::sharing_access_tokens).
    ///
    /// # Errors
    ///
    /// If other processes can read the store, and the sessions have no `seal_key`.
    pub fn sharing_access_tokens<S: SessionStore>(
        self,
        sessions: &Sessions<S>,
    ) -> Result<Self, ConfigError> {
        self.server.share_tokens(sessions)?;
        Ok(self)
    }

    /// `code2Verifyinfo`: all that WeChat says of the user that a code stands for.
    ///
    /// A login needs no more than [`exchange`](IdentityProvider::exchange), which spends the code, too.
    ///
    /// # Errors
    ///
    /// [`CodeRejected`](crate::wechat::ApiErrorKind::CodeRejected) for 10001000 and 10001001.
    pub async fn verify(&self, appid: &str, code: &str) -> Result<MultiEndUser, ApiError> {
        let app = self.server.app(appid)?;
        let body = json!({
            "appid": &*app.appid,
            "appsecret": &*app.secret,
            "code": code,
            "grant_type": "authorization_code",
        });
        let call = |token: &str| {
            Call::get("/donut/code2verifyinfo")
                .query(&[("access_token", token)])
                .json(&body)
        };
        let fields = self.server.call(appid, &[code], call).await?;
        MultiEndUser::parse(&fields).map_err(|failure| ApiError::failed(failure, &[]))
    }
}

impl IdentityProvider for MultiEnd {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        self.server.apps.resolve(appid)
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        let user = self.verify(request.appid(), request.code()).await?;
        let user = User::new(&*user.user_id).with_unionid(user.unionid());
        Ok(user.of_app(request.appid().into()))
    }
}

impl fmt::Debug for MultiEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.debug("MultiEnd", f)
    }
}
