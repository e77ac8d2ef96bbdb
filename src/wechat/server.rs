use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::api_error::ApiError;
use super::shared_tokens::SharedTokens;
use super::tokens::Tokens;
use crate::config_error::ConfigError;
use crate::identity::split_appid;
use crate::platform::api::{Api, App, Apps, Call, Failure, Fields};
use crate::sessions::Sessions;
use crate::store::SessionStore;

/// The usual host, and the one that WeChat names for when that is out of reach.
const OFFICIAL: [&str; 2] = ["https://api.weixin.qq.com", "https://api2.weixin.qq.com"];

/// WeChat's servers, as they are for some apps: where they are, and what calls have to bring along.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) apps: Apps,
    pub(super) api: Api,
    tokens: Arc<Tokens>,
}

impl Server {
    pub(super) fn new(apps: Apps, tokens: Tokens) -> Self {
        Self {
            apps,
            api: Api::official(&OFFICIAL),
            tokens: Arc::new(tokens),
        }
    }

    /// With access tokens of its own: other settings may lead to others.
    fn afresh(self) -> Self {
        self.with_tokens(|tokens| tokens)
    }

    pub(super) fn with_app(
        mut self,
        appid: impl Into<Arc<str>>,
        secret: impl Into<Arc<str>>,
    ) -> Self {
        self.apps = self.apps.with(appid, secret);
        self.afresh()
    }

    pub(super) fn with_hosts(mut self, urls: &[&str]) -> Result<Self, ConfigError> {
        self.api = self.api.with_hosts(urls)?;
        Ok(self.afresh())
    }

    pub(super) fn with_timeout(mut self, timeout: Duration) -> Self {
        self.api = self.api.with_timeout(timeout);
        self.afresh()
    }

    pub(super) fn with_tokens(self, change: impl FnOnce(Tokens) -> Tokens) -> Self {
        let tokens = Arc::new(change(self.tokens.afresh()));
        Self { tokens, ..self }
    }

    pub(super) fn share_tokens<S: SessionStore>(
        &self,
        sessions: &Sessions<S>,
    ) -> Result<(), ConfigError> {
        self.tokens.share(SharedTokens::of(sessions)?);
        Ok(())
    }

    pub(super) async fn token(&self, appid: &str) -> Result<Arc<str>, ApiError> {
        let app = self.app(appid)?;
        let token = self.tokens.of(app, &self.api).get().await;
        token.map_err(|failure| ApiError::failed(failure, &[&app.secret]))
    }

    pub(super) async fn token_instead_of(
        &self,
        appid: &str,
        refused: &str,
    ) -> Result<Arc<str>, ApiError> {
        let app = self.app(appid)?;
        let token = (self.tokens.of(app, &self.api))
            .get_instead_of(refused)
            .await;
        token.map_err(|failure| ApiError::failed(failure, &[&app.secret, refused]))
    }

    /// Calls an API with the app's access_token. Of what comes, the secrets are masked.
    ///
    /// If WeChat refuses the token, the call is sent once more with another one. That is safe for a
    /// code in it: the token says which app calls, so the API has refused before it looked at the
    /// code, and it is its answer that says so. A call without an answer is not sent again.
    pub(super) async fn call(
        &self,
        appid: &str,
        secrets: &[&str],
        call: impl Fn(&str) -> Call,
    ) -> Result<Fields, ApiError> {
        let token = self.token(appid).await?;
        match self.call_with(appid, secrets, &token, &call).await {
            Err(error) if error.is_about_the_token() => {
                let token = self.token_instead_of(appid, &token).await?;
                self.call_with(appid, secrets, &token, &call).await
            }
            answer => answer,
        }
    }

    async fn call_with(
        &self,
        appid: &str,
        secrets: &[&str],
        token: &str,
        call: impl Fn(&str) -> Call,
    ) -> Result<Fields, ApiError> {
        let app_secret = &*self.app(appid)?.secret;
        let secrets = [secrets, &[token, app_secret]].concat();
        let answer = self.answer(&call(token)).await;
        let (errcode, fields) = answer.map_err(|failure| ApiError::failed(failure, &secrets))?;
        match errcode {
            0 => Ok(fields),
            errcode => Err(ApiError::refused(errcode, fields.text("errmsg"), &secrets)),
        }
    }

    async fn answer(&self, call: &Call) -> Result<(i64, Fields), Failure> {
        let reply = self.api.send(call).await?;
        reply.read(|body| {
            let fields = Fields::parse(body)?;
            Ok((fields.code("errcode")?, fields))
        })
    }

    /// An app by its appid, or by that of a session of it.
    pub(super) fn app(&self, appid: &str) -> Result<&App, ApiError> {
        let unknown = || ApiError::failed(Failure::UnknownApp, &[]);
        self.apps.get(split_appid(appid).1).ok_or_else(unknown)
    }

    /// For the `Debug` of whoever has it.
    pub(super) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("apps", &self.apps)
            .field("api", &self.api)
            .finish()
    }
}
