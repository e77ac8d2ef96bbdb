use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::keys::AlipayKeys;
use super::user_id::AlipayUserId;
use super::{answer, request};
use crate::config_error::ConfigError;
use crate::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
use crate::platform::api::{Api, App, Apps, Failure, User};

const OFFICIAL: &str = "https://openapi.alipay.com";

/// Alipay, as the provider of identities for one or more mini programs.
#[derive(Clone)]
pub struct Alipay {
    apps: Apps<AlipayKeys>,
    api: Api,
    user_id: Option<AlipayUserId>,
}

impl Alipay {
    /// Alipay for one app, with its keys.
    ///
    /// It touches neither the network nor a runtime. Should the HTTP client not come about (a
    /// system without root certificates), every exchange is
    /// [`Misconfigured`](crate::login::ExchangeErrorKind::Misconfigured) and names the cause.
    pub fn new(appid: impl Into<Arc<str>>, keys: AlipayKeys) -> Self {
        Self {
            apps: Apps::new(appid, keys),
            api: Api::official(&[OFFICIAL]),
            user_id: None,
        }
    }

    /// Adds an app; the client then has to name the one it logs in to.
    ///
    /// An appid that is there already gets the new keys.
    #[must_use]
    pub fn with_app(self, appid: impl Into<Arc<str>>, keys: AlipayKeys) -> Self {
        Self {
            apps: self.apps.with(appid, keys),
            ..self
        }
    }

    /// Names users by this, and fails as `Misconfigured` where Alipay does not send it.
    ///
    /// Without it users are named by their `user_id` where it comes, and by their `open_id` otherwise:
    /// apps that get both began with the former, and have their users stored under it. Set it before you
    /// change at Alipay what your app gets, or every user comes back as a new one. Changing this has the
    /// same effect.
    #[must_use]
    pub fn with_user_id(self, id: AlipayUserId) -> Self {
        Self {
            user_id: Some(id),
            ..self
        }
    }

    /// Replaces `https://openapi.alipay.com`, by a gateway of yours, the sandbox or a fake.
    ///
    /// The sandbox is `https://openapi-sandbox.dl.alipaydev.com`, with an app and keys of its own. The
    /// path `/gateway.do` may stand at the end, as in Alipay's own SDKs.
    ///
    /// # Errors
    ///
    /// If it is no `http` or `https` URL, or has a query, a fragment or credentials.
    pub fn with_base_url(self, url: &str) -> Result<Self, ConfigError> {
        let url = url.strip_suffix(request::PATH).unwrap_or(url);
        Ok(Self {
            api: self.api.with_hosts(&[url])?,
            ..self
        })
    }

    /// Sets how long a request may take, connecting and the body included (default 3 s).
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self {
            api: self.api.with_timeout(timeout),
            ..self
        }
    }

    async fn oauth_token(&self, app: &App<AlipayKeys>, code: &str) -> Result<User, Failure> {
        let keys = &app.secret;
        let call = request::oauth_token(&app.appid, keys, code, SystemTime::now());
        let reply = self.api.send(&call).await?;
        reply.read(|body| answer::parse(body, keys.alipay(), self.user_id))
    }
}

impl IdentityProvider for Alipay {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        self.apps.resolve(appid)
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        let app = self.apps.get(request.appid());
        let app = app.ok_or_else(|| Failure::UnknownApp.hiding(&[]))?;
        let user = self.oauth_token(app, request.code()).await;
        let user = user.map_err(|failure| failure.hiding(&[request.code()]))?;
        Ok(user.of_app(Arc::clone(&app.appid)))
    }
}

impl fmt::Debug for Alipay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alipay")
            .field("apps", &self.apps)
            .field("api", &self.api)
            .field("user_id", &self.user_id)
            .finish()
    }
}
