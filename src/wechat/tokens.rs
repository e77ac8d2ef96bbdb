use std::collections::HashMap;
use std::sync::Arc;

use super::shared_tokens::SharedTokens;
use super::token_source::{Endpoint, TokenSource};
use crate::platform::api::{Api, App, TokenCache};
use crate::sync::Lock;
use crate::time::Clock;

/// The access tokens of the apps.
pub(super) struct Tokens {
    endpoint: Endpoint,
    clock: Clock,
    shared: Arc<Lock<SharedTokens>>,
    of_apps: Lock<HashMap<Arc<str>, Arc<TokenCache<TokenSource>>>>,
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

    pub(super) fn of(&self, app: &App, api: &Api) -> Arc<TokenCache<TokenSource>> {
        let mut of_apps = self.of_apps.lock();
        let of_app = of_apps.entry(Arc::clone(&app.appid));
        Arc::clone(
            of_app.or_insert_with(|| TokenCache::new(self.source(app, api), self.clock.clone())),
        )
    }

    fn source(&self, app: &App, api: &Api) -> TokenSource {
        let shared = Arc::clone(&self.shared);
        TokenSource::new(
            api.clone(),
            app.clone(),
            self.endpoint,
            shared,
            self.clock.clone(),
        )
    }
}
