use std::sync::Arc;
use std::time::Duration;

use super::api::{Api, App, Apps, Failure, Tokens, User};
use crate::config_error::ConfigError;
use crate::login::{ExchangeError, ExchangeErrorKind, Exchanged, LoginRequest};

/// A platform as the application has set it up: its apps, its host, and what its codes mean.
#[derive(Clone, Debug)]
pub(crate) struct Site<S = Arc<str>> {
    apps: Apps<S>,
    pub(super) api: Api,
    #[cfg_attr(
        not(any(feature = "dingtalk", feature = "lark")),
        allow(dead_code, reason = "the others need no token first")
    )]
    pub(super) tokens: Tokens,
    kinds: Vec<(Arc<str>, ExchangeErrorKind)>,
}

impl<S> Site<S> {
    pub(super) fn new(url: &str, appid: Arc<str>, secret: S) -> Self {
        Self {
            apps: Apps::new(appid, secret),
            api: Api::official(&[url]),
            tokens: Tokens::default(),
            kinds: Vec::new(),
        }
    }

    /// What was kept for another secret or host is forgotten.
    pub(super) fn with_app(self, appid: Arc<str>, secret: S) -> Self {
        Self {
            apps: self.apps.with(appid, secret),
            tokens: Tokens::default(),
            ..self
        }
    }

    pub(super) fn with_base_url(self, url: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            api: self.api.with_hosts(&[url])?,
            tokens: Tokens::default(),
            ..self
        })
    }

    pub(super) fn with_timeout(self, timeout: Duration) -> Self {
        Self {
            api: self.api.with_timeout(timeout),
            ..self
        }
    }

    pub(super) fn with_error_kind(mut self, code: Arc<str>, kind: ExchangeErrorKind) -> Self {
        self.kinds.retain(|(known, _)| *known != code);
        self.kinds.push((code, kind));
        self
    }

    pub(super) fn resolve(&self, appid: Option<&str>) -> Option<&str> {
        self.apps.resolve(appid)
    }

    pub(super) fn app(&self, request: &LoginRequest<'_>) -> Result<&App<S>, ExchangeError> {
        let app = self.apps.get(request.appid());
        app.ok_or_else(|| Failure::UnknownApp.hiding(&[]))
    }

    /// The end of an exchange: whatever went wrong, without the secret and the code.
    pub(super) fn conclude(
        &self,
        app: &App<S>,
        request: &LoginRequest<'_>,
        user: Result<User, Failure>,
        secret: &str,
    ) -> Result<Exchanged, ExchangeError> {
        match user {
            Ok(user) => Ok(user.of_app(Arc::clone(&app.appid))),
            Err(failure) => {
                let failure = failure.reclassified(&self.kinds);
                Err(failure.hiding(&[secret, request.code()]))
            }
        }
    }
}
