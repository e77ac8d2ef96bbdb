use std::collections::HashMap;
use std::sync::Arc;

use super::shared_tokens::SharedTokens;
use super::token_source::{Endpoint, TokenSource};
use crate::platform::api::{Api, App, Ask, CachedToken, Failure};
use crate::sync::Lock;
use crate::time::Clock;

/// The access tokens of the apps.
pub(super) struct Tokens {
    endpoint: Endpoint,
    clock: Clock,
    shared: Arc<Lock<SharedTokens>>,
    of_apps: Lock<HashMap<Arc<str>, TokenOfApp>>,
}

/// The token of an app, and where it comes from.
#[derive(Clone)]
pub(super) struct TokenOfApp {
    cached: Arc<CachedToken>,
    source: Arc<TokenSource>,
}

impl Tokens {
    pub(super) fn from(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            clock: Clock::monotonic(),
            shared: Arc::default(),
            of_apps: Lock::default(),
        }
    }

    /// The same without what was fetched: other apps or another server have tokens of their own.
    pub(super) fn afresh(&self) -> Self {
        Self {
            endpoint: self.endpoint,
            clock: self.clock.clone(),
            shared: Arc::new(Lock::from(self.shared.lock().clone())),
            of_apps: Lock::default(),
        }
    }

    pub(super) fn at(self, endpoint: Endpoint) -> Self {
        Self { endpoint, ..self }
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(super) fn on(self, clock: crate::time::ManualClock) -> Self {
        Self {
            clock: clock.into(),
            ..self
        }
    }

    pub(super) fn share(&self, shared: SharedTokens) {
        *self.shared.lock() = shared;
    }

    pub(super) fn of(&self, app: &App, api: &Api) -> TokenOfApp {
        let mut of_apps = self.of_apps.lock();
        let of_app = of_apps.entry(Arc::clone(&app.appid));
        of_app.or_insert_with(|| self.new_of(app, api)).clone()
    }

    fn new_of(&self, app: &App, api: &Api) -> TokenOfApp {
        let clock = self.clock.clone();
        let shared = Arc::clone(&self.shared);
        let source = TokenSource::new(api.clone(), app.clone(), self.endpoint, shared, clock);
        TokenOfApp {
            cached: Arc::new(CachedToken::on(self.clock.clone())),
            source: Arc::new(source),
        }
    }
}

impl TokenOfApp {
    pub(super) async fn get(&self) -> Result<Arc<str>, Failure> {
        self.cached.get(self.ask()).await
    }

    pub(super) async fn get_instead_of(&self, refused: &str) -> Result<Arc<str>, Failure> {
        self.cached.get_instead_of(refused, self.ask()).await
    }

    fn ask(&self) -> impl Ask + use<> {
        let source = Arc::clone(&self.source);
        move |refused| Arc::clone(&source).grant(refused)
    }
}
