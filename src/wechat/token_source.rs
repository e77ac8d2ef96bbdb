use std::sync::Arc;
use std::time::Duration;

use super::api_error::ApiError;
use super::force_quota::ForceQuota;
use super::shared_tokens::SharedTokens;
use crate::login::ExchangeErrorKind;
use crate::observe::outage::Outage;
use crate::observe::trace;
use crate::platform::api::{AHEAD, Api, App, Call, Failure, Fields, Granted};
use crate::platform::code2session::succeeded;
use crate::sync::Lock;
use crate::time::Clock;

/// Which of WeChat's APIs gives access tokens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint {
    /// `stable_token`: the same token for all who ask, until its last five minutes.
    Stable,
    /// `token`: each call replaces the token, which is good for five minutes more.
    Replacing,
}

/// The access tokens of one app: the nodes' shared one, or WeChat's.
pub(super) struct TokenSource {
    api: Api,
    app: App,
    endpoint: Endpoint,
    shared: Arc<Lock<SharedTokens>>,
    quota: Lock<ForceQuota>,
    outage: Lock<Outage>,
    clock: Clock,
}

impl TokenSource {
    pub(super) fn new(
        api: Api,
        app: App,
        endpoint: Endpoint,
        shared: Arc<Lock<SharedTokens>>,
        clock: Clock,
    ) -> Self {
        Self {
            api,
            app,
            endpoint,
            shared,
            quota: Lock::default(),
            outage: Lock::default(),
            clock,
        }
    }

    /// A token other than the refused one. Another node may have it already; while WeChat gives none,
    /// even one of those that is near its end helps out.
    pub(super) async fn grant(
        self: Arc<Self>,
        refused: Option<Arc<str>>,
    ) -> Result<Granted, Failure> {
        let refused = refused.as_deref();
        let shared = self.shared().get(&self.app.appid).await;
        let shared = shared.filter(|shared| Some(&*shared.token) != refused);
        if let Some(shared) = &shared
            && shared.lifetime > AHEAD
        {
            return Ok(shared.clone());
        }
        let granted = self.ask(refused).await;
        self.report(&granted);
        match granted {
            Ok(granted) => {
                self.shared().put(&self.app.appid, &granted).await;
                Ok(granted)
            }
            Err(failure) => shared.ok_or(failure),
        }
    }

    /// Tells operators when WeChat begins to give no token, and when it gives one again: for as long
    /// as the old token is good, nobody else notices.
    fn report(&self, granted: &Result<Granted, Failure>) {
        let (mut outage, now) = (self.outage.lock(), self.clock.uptime());
        match granted {
            Ok(_) => {
                if let Some(over) = outage.succeeds(now) {
                    trace::access_tokens_are_back(over);
                }
            }
            Err(failure) => {
                let error = ApiError::failed(failure.clone(), &[&self.app.secret]);
                trace::no_access_token(&error, outage.fails(now));
            }
        }
    }

    fn shared(&self) -> SharedTokens {
        self.shared.lock().clone()
    }

    /// WeChat's token; if it is the one that it refuses, it is made to give another.
    async fn ask(&self, refused: Option<&str>) -> Result<Granted, Failure> {
        let granted = self.request(false).await?;
        if Some(&*granted.token) != refused {
            return Ok(granted);
        }
        let allowed = self.quota.lock().take(self.clock.uptime());
        allowed.map_err(over_quota)?;
        self.request(true).await
    }

    async fn request(&self, force: bool) -> Result<Granted, Failure> {
        let reply = self.api.send(&self.call(force)).await?;
        reply.read_fields(parse)
    }

    fn call(&self, force: bool) -> Call {
        let (appid, secret) = (&*self.app.appid, &*self.app.secret);
        match self.endpoint {
            Endpoint::Stable => {
                let mut body = serde_json::json!({
                    "grant_type": "client_credential", "appid": appid, "secret": secret,
                });
                if force {
                    body["force_refresh"] = true.into();
                }
                Call::post("/cgi-bin/stable_token").json(&body)
            }
            Endpoint::Replacing => Call::get("/cgi-bin/token").query(&[
                ("grant_type", "client_credential"),
                ("appid", appid),
                ("secret", secret),
            ]),
        }
    }
}

fn parse(fields: &Fields) -> Result<Granted, Failure> {
    succeeded(fields)?;
    Granted::read(fields, "access_token", "expires_in")
}

/// How long it is until WeChat allows another one.
fn over_quota(wait: Duration) -> Failure {
    Failure::refused(
        ExchangeErrorKind::RateLimited(wait),
        "the access_token that WeChat hands out is the one that it refuses",
        Some("force_refresh is allowed every 30 s and 20 times a day"),
    )
}
