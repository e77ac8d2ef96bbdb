use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::server::Server;
use super::token_source::Endpoint;
use super::tokens::Tokens;
use crate::config_error::ConfigError;
use crate::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
use crate::platform::api::{App, Apps, Failure, User};
use crate::platform::code2session;

/// WeChat, as the provider of identities for one or more mini programs.
///
/// See the [module docs](crate::wechat) for what it promises. Its `Debug` shows no secret, and
/// clones share their connections.
///
/// ```
/// use std::time::Duration;
/// use tower_wx_session::login::IdentityProvider;
/// use tower_wx_session::wechat::WeChat;
///
/// let one = WeChat::new("wx1", "secret of wx1");
/// assert_eq!(one.resolve(None), Some("wx1"));
///
/// let two = one.with_app("wx2", "secret of wx2").with_timeout(Duration::from_secs(2));
/// assert_eq!(two.resolve(None), None, "the client has to name one");
/// assert_eq!(two.resolve(Some("wx2")), Some("wx2"));
/// assert!(!format!("{two:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct WeChat {
    pub(super) server: Server,
}

impl WeChat {
    /// WeChat for one app, with its secret from the console of the platform.
    ///
    /// It touches neither the network nor a runtime. Should the HTTP client not come about (a
    /// system without root certificates), every exchange is
    /// [`Misconfigured`](crate::login::ExchangeErrorKind::Misconfigured) and names the cause.
    pub fn new(appid: impl Into<Arc<str>>, secret: impl Into<Arc<str>>) -> Self {
        Self {
            server: Server::new(Apps::new(appid, secret), Tokens::from(Endpoint::Stable)),
        }
    }

    /// Adds an app; the client then has to name the one it logs in to.
    ///
    /// An appid that is there already gets the new secret.
    #[must_use]
    pub fn with_app(self, appid: impl Into<Arc<str>>, secret: impl Into<Arc<str>>) -> Self {
        Self {
            server: self.server.with_app(appid, secret),
        }
    }

    /// Replaces WeChat's hosts by one, such as a gateway of yours or a fake.
    ///
    /// A path is kept, and a slash at the end makes no difference.
    ///
    /// # Errors
    ///
    /// If it is no `http` or `https` URL, or has a query, a fragment or credentials.
    ///
    /// ```
    /// use tower_wx_session::wechat::WeChat;
    ///
    /// let wechat = WeChat::new("appid", "secret");
    /// assert!(wechat.clone().with_base_url("http://gateway.internal/wechat/").is_ok());
    /// assert!(wechat.with_base_url("gateway.internal").is_err());
    /// ```
    pub fn with_base_url(self, url: &str) -> Result<Self, ConfigError> {
        self.with_hosts(&[url])
    }

    /// Replaces WeChat's hosts by these, the usual one first. Default: `https://api.weixin.qq.com`, and
    /// `https://api2.weixin.qq.com`, which WeChat names for disasters.
    ///
    /// A request goes to the next host only if the one before could not be connected to, name
    /// look-up included: then nothing of it has left, and no code is sent twice. Each host has its
    /// share of the [time-out](Self::with_timeout) for connecting. The host that helped out is tried
    /// first for a minute. WeChat has `https://sh.api.weixin.qq.com`, `https://sz.api.weixin.qq.com`
    /// and `https://hk.api.weixin.qq.com` besides, for servers near Shanghai, Shenzhen and Hong Kong.
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

    /// Tells the age of access_tokens by a clock that a test moves.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn clock(self, clock: crate::time::ManualClock) -> Self {
        Self {
            server: self.server.with_tokens(|tokens| tokens.on(clock)),
        }
    }

    async fn code2session(&self, app: &App, code: &str) -> Result<User, Failure> {
        let call = code2session::call(app, code);
        let reply = self.server.api.send(&call).await?;
        reply.read_fields(code2session::parse)
    }
}

impl IdentityProvider for WeChat {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        self.server.apps.resolve(appid)
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        let app = self.server.apps.get(request.appid());
        let app = app.ok_or_else(|| Failure::UnknownApp.hiding(&[]))?;
        let user = self.code2session(app, request.code()).await;
        let user = user.map_err(|failure| failure.hiding(&[&app.secret, request.code()]))?;
        Ok(user.of_app(Arc::clone(&app.appid)))
    }
}

impl fmt::Debug for WeChat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.debug("WeChat", f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_official_hosts_and_three_seconds() {
        assert_eq!(
            format!("{:?}", WeChat::new("wx1", "canary")),
            "WeChat { apps: Apps([App { appid: \"wx1\", .. }]), \
             api: Api { hosts: [\"https://api.weixin.qq.com/\", \"https://api2.weixin.qq.com/\"], \
             timeout: 3s, .. } }",
        );
    }
}
