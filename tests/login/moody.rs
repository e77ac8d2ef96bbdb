//! A provider that hangs, takes its time or gives up as the code says.

use std::future::pending;
use std::time::Duration;

use http::Request;
use tower::ServiceExt;
use tower_wx_session::login::{
    ExchangeError, ExchangeErrorKind, Exchanged, IdentityProvider, Login, LoginRequest,
};
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, SessionKey};

use crate::support::http::Answer;
use crate::support::nodes::node;

/// Gives up on codes that name a wait, hangs on those that say so, and vouches for all others.
pub struct Moody;

impl IdentityProvider for Moody {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some("wxa")
    }

    async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        if let Some(millis) = login.code().strip_prefix("wait-") {
            let wait = Duration::from_millis(millis.parse().unwrap());
            return Err(ExchangeError::new(ExchangeErrorKind::RateLimited(wait)));
        }
        if login.code().starts_with("hang") {
            pending::<()>().await;
        }
        let mut openid = login.code();
        if let Some(millis) = login.code().strip_prefix("takes-") {
            openid = "openid";
            let (millis, _) = millis.split_once('-').unwrap();
            tokio::time::sleep(Duration::from_millis(millis.parse().unwrap())).await;
        }
        let key = SessionKey::new(format!("key of {}", login.code()));
        Ok(Exchanged::new(Identity::new("wxa", openid)).with_session_key(key))
    }
}

pub fn moody(clock: &ManualClock) -> Login<MemoryStore, Moody> {
    let store = MemoryStore::with_clock(clock.clone());
    Login::new(node(&store, clock), Moody)
}

/// Logs in without a server, so that tokio's time can stand still.
pub async fn log_in_at(login: &Login<MemoryStore, Moody>, code: &str) -> Answer {
    let request = Request::post("/").body(format!(r#"{{"code":"{code}"}}"#));
    let response = login.clone().oneshot(request.unwrap()).await.unwrap();
    Answer::read(response.map(reqwest::Body::wrap).into()).await
}

type Logins = Vec<tokio::task::JoinHandle<Answer>>;

/// Begins to log in, and has it come as far as it can by itself.
pub async fn begin(
    login: &Login<MemoryStore, Moody>,
    codes: impl Iterator<Item = String>,
) -> Logins {
    let begin = |code: String| {
        let login = login.clone();
        tokio::spawn(async move { log_in_at(&login, &code).await })
    };
    let logins = codes.map(begin).collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    logins
}
