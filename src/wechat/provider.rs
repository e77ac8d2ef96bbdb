use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;

use super::app::App;
use super::base_url::BaseUrl;
use super::failure::Failure;
use super::{answer, client};
use crate::config_error::ConfigError;
use crate::identity::Identity;
use crate::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};

const OFFICIAL: &str = "https://api.weixin.qq.com";
const TIMEOUT: Duration = Duration::from_secs(3);

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
    apps: Vec<App>,
    base: BaseUrl,
    timeout: Duration,
    client: Result<Client, Failure>,
}

impl WeChat {
    /// WeChat for one app, with its secret from the console of the platform.
    ///
    /// It touches neither the network nor a runtime. Should the HTTP client not come about (a
    /// system without root certificates), every exchange is
    /// [`Misconfigured`](crate::login::ExchangeErrorKind::Misconfigured) and names the cause.
    pub fn new(appid: impl Into<Arc<str>>, secret: impl Into<Arc<str>>) -> Self {
        let base = BaseUrl::parse(OFFICIAL).expect("the official URL is a base URL");
        let none = Self {
            apps: Vec::new(),
            client: client::build(&base),
            base,
            timeout: TIMEOUT,
        };
        none.with_app(appid, secret)
    }

    /// Adds an app; the client then has to name the one it logs in to.
    ///
    /// An appid that is there already gets the new secret.
    #[must_use]
    pub fn with_app(mut self, appid: impl Into<Arc<str>>, secret: impl Into<Arc<str>>) -> Self {
        let (appid, secret) = (appid.into(), secret.into());
        self.apps.retain(|app| app.appid != appid);
        self.apps.push(App { appid, secret });
        self
    }

    /// Replaces `https://api.weixin.qq.com`, by a gateway of yours or a fake.
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
        let base = BaseUrl::parse(url)?;
        Ok(Self {
            client: client::build(&base),
            base,
            ..self
        })
    }

    /// Sets how long an exchange may take, connecting and the body included (default 3 s).
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    fn app(&self, appid: &str) -> Option<&App> {
        self.apps.iter().find(|app| *app.appid == *appid)
    }

    async fn code2session(&self, app: &App, code: &str) -> Result<answer::Answer, Failure> {
        let client = self.client.as_ref().map_err(Failure::clone)?;
        let url = self.base.code2session(app, code);
        client::send(client, url, self.timeout).await
    }
}

impl IdentityProvider for WeChat {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        let app = match (appid, &*self.apps) {
            (Some(appid), _) => self.app(appid),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        app.map(|app| &*app.appid)
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        let app = self
            .app(request.appid())
            .ok_or_else(|| Failure::UnknownApp.hiding(&[]))?;
        let secrets = [&*app.secret, request.code()];
        let answer = self
            .code2session(app, request.code())
            .await
            .map_err(|failure| failure.hiding(&secrets))?;
        Ok(exchanged(app, answer))
    }
}

fn exchanged(app: &App, answer: answer::Answer) -> Exchanged {
    let mut identity = Identity::new(Arc::clone(&app.appid), answer.openid);
    if let Some(unionid) = answer.unionid {
        identity = identity.with_unionid(unionid);
    }
    let exchanged = Exchanged::new(identity);
    match answer.session_key {
        Some(key) => exchanged.with_session_key(key),
        None => exchanged,
    }
}

impl fmt::Debug for WeChat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeChat")
            .field("apps", &self.apps)
            .field("base_url", &self.base)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_official_url_and_three_seconds() {
        let wechat = WeChat::new("wx1", "canary");
        assert_eq!(wechat.timeout, Duration::from_secs(3));
        assert!(wechat.client.is_ok());
        assert_eq!(
            format!("{wechat:?}"),
            "WeChat { apps: [App { appid: \"wx1\", .. }], \
             base_url: \"https://api.weixin.qq.com/\", timeout: 3s, .. }",
        );
    }

    #[test]
    fn only_configured_apps_resolve() {
        let one = WeChat::new("wx1", "s");
        assert_eq!(one.resolve(None), Some("wx1"));
        assert_eq!(one.resolve(Some("wx1")), Some("wx1"));
        assert_eq!(one.resolve(Some("wx2")), None);
        assert_eq!(one.resolve(Some("")), None);

        let two = one.with_app("wx2", "s");
        assert_eq!(two.resolve(None), None);
        assert_eq!(two.resolve(Some("wx1")), Some("wx1"));
        assert_eq!(two.resolve(Some("wx2")), Some("wx2"));
        assert_eq!(two.resolve(Some("wx3")), None);
    }

    #[test]
    fn an_appid_given_again_gets_the_new_secret() {
        let wechat = WeChat::new("wx1", "old").with_app("wx1", "new");
        assert_eq!(wechat.resolve(None), Some("wx1"));
        assert_eq!(&*wechat.app("wx1").unwrap().secret, "new");
    }
}
