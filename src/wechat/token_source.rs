use std::sync::Arc;
use std::time::Duration;

use super::force_quota::ForceQuota;
use super::shared_tokens::SharedTokens;
use crate::login::ExchangeErrorKind;
use crate::platform::api::{AHEAD, Api, App, Call, Failure, FetchToken, Fetched, Fields, Token};
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
            clock,
        }
    }

    fn shared(&self) -> SharedTokens {
        self.shared.lock().clone()
    }

    /// WeChat's token; if it is the one that it refuses, it is made to give another.
    async fn ask(&self, refused: Option<&Token>) -> Result<Fetched, Failure> {
        let fetched = self.request(false).await?;
        if Some(&fetched.token) != refused {
            return Ok(fetched);
        }
        let allowed = self.quota.lock().take(self.clock.uptime());
        allowed.map_err(over_quota)?;
        self.request(true).await
    }

    async fn request(&self, force: bool) -> Result<Fetched, Failure> {
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

impl FetchToken for TokenSource {
    /// Another node may have fetched it already. While WeChat gives none, even one that is near its
    /// end helps out.
    async fn fetch(&self, refused: Option<&Token>) -> Result<Fetched, Failure> {
        let shared = self.shared().get(&self.app.appid).await;
        let shared = shared.filter(|shared| Some(&shared.token) != refused);
        if let Some(shared) = &shared
            && shared.lives_for > AHEAD
        {
            return Ok(shared.clone());
        }
        match self.ask(refused).await {
            Ok(fetched) => {
                self.shared().put(&self.app.appid, &fetched).await;
                Ok(fetched)
            }
            Err(failure) => shared.ok_or(failure),
        }
    }
}

fn parse(fields: &Fields) -> Result<Fetched, Failure> {
    succeeded(fields)?;
    let token = fields.require("access_token", "no access_token")?;
    let lives_for = fields.number("expires_in");
    Ok(Fetched {
        token: Token::new(token),
        lives_for: Duration::from_secs(lives_for.ok_or(Failure::unreadable("no expires_in"))?),
    })
}

/// How long it is until WeChat allows another one.
fn over_quota(wait: Duration) -> Failure {
    Failure::refused(
        ExchangeErrorKind::RateLimited(wait),
        "the access_token that WeChat hands out is the one that it refuses",
        Some("force_refresh is allowed every 30 s and 20 times a day"),
    )
}
