//! What holds at each platform that takes a code, played against its fake.

use std::error::Error;
use std::fmt::{Debug, Write};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use tower_wx_session::Sessions;
use tower_wx_session::login::ExchangeErrorKind::{self, *};
use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, Login, LoginRequest};
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::Fault;
use tracing::Level;

use crate::support::errors::texts;
use crate::support::log::Log;

pub const APPID: &str = "appcanary";
pub const SECRET: &str = "cAnArYsEcReT0123456789abcdef0123";
pub const CODE: &str = "alice:canary-code-0123456789";

const SHORT: Duration = Duration::from_millis(200);

/// A fake that knows the app of these tests.
pub trait Fake: Sized {
    async fn start() -> Self;
    fn with_unionids(self) -> Self;
    fn base_url(&self) -> &str;
    fn code(&self, name: &str) -> String;
    fn advance(&self, time: Duration);
    fn fail_all(&self, fault: Option<Fault>);
    fn exchanges(&self) -> u64;
    fn exchanges_of(&self, code: &str) -> u64;
    fn received(&self) -> Vec<Request<Bytes>>;
}

/// A provider for the app of these tests.
pub trait Provider: IdentityProvider + Clone + Debug {
    fn at(base_url: &str, secret: &str) -> Self;
}

/// What differs by platform.
pub struct Says {
    pub has_session_key: bool,
    pub has_unionid: bool,
    pub lifetime: Duration,
    /// How the log begins for a used code, one that is too old, and one that was never any.
    pub used: &'static str,
    /// What `busy:1`, `blocked:1`, `limited:1` and `quota:1` are.
    pub faults: [(ExchangeErrorKind, &'static str); 4],
}

macro_rules! a_fake {
    ($fake:ty) => {
        impl $crate::sister::Fake for $fake {
            async fn start() -> Self {
                let fake = <$fake>::start().await.unwrap();
                fake.with_app($crate::sister::APPID, $crate::sister::SECRET)
            }
            fn with_unionids(self) -> Self {
                self.with_unionids()
            }
            fn base_url(&self) -> &str {
                self.base_url()
            }
            fn code(&self, name: &str) -> String {
                self.code(name)
            }
            fn advance(&self, time: std::time::Duration) {
                self.advance(time);
            }
            fn fail_all(&self, fault: Option<tower_wx_session::test_util::Fault>) {
                self.fail_all(fault);
            }
            fn exchanges(&self) -> u64 {
                self.exchanges()
            }
            fn exchanges_of(&self, code: &str) -> u64 {
                self.exchanges_of(code)
            }
            fn received(&self) -> Vec<http::Request<bytes::Bytes>> {
                self.received()
            }
        }
    };
}

/// Plays all that holds at a platform; `$new` makes a provider of an appid and a secret.
macro_rules! holds_for {
    ($fake:ident, $provider:ident, $new:expr, $says:expr) => {
        $crate::sister::a_fake!($fake);

        impl $crate::sister::Provider for $provider {
            fn at(base_url: &str, secret: &str) -> Self {
                let provider: $provider = $new($crate::sister::APPID, secret.to_owned());
                provider.with_base_url(base_url).unwrap()
            }
        }

        #[tokio::test]
        async fn a_good_code_logs_in() {
            $crate::sister::a_good_code_logs_in::<$fake, $provider>(&$says).await;
        }

        #[tokio::test]
        async fn a_code_that_is_spent_or_too_old_is_rejected() {
            $crate::sister::a_code_dies::<$fake, $provider>(&$says).await;
        }

        #[tokio::test]
        async fn every_fault_has_its_kind_and_sends_the_code_once() {
            let hasty = |provider: $provider, timeout| provider.with_timeout(timeout);
            $crate::sister::every_fault_is_met_once::<$fake, $provider>(hasty, &$says).await;
        }

        #[tokio::test]
        async fn what_the_application_says_of_a_code_counts() {
            let says = |provider: $provider, code: &str, kind| provider.with_error_kind(code, kind);
            $crate::sister::a_code_of_the_application::<$fake, $provider>(says).await;
        }

        #[tokio::test]
        async fn no_secret_is_in_errors_and_events() {
            $crate::sister::no_secret_gets_out::<$fake, $provider>().await;
        }

        #[tokio::test]
        async fn a_login_ends_in_a_session() {
            $crate::sister::a_login_ends_in_a_session::<$fake, $provider>().await;
        }
    };
}

pub(crate) use {a_fake, holds_for};

pub async fn start<F: Fake, P: Provider>() -> (F, P) {
    let fake = F::start().await;
    let provider = P::at(fake.base_url(), SECRET);
    (fake, provider)
}

pub async fn exchange<P: Provider>(provider: &P, code: &str) -> Result<Exchanged, ExchangeError> {
    provider.exchange(LoginRequest::new(APPID, code)).await
}

/// The kind and the cause of a failure, once it is known to hold no secret.
#[track_caller]
pub fn failure(
    result: Result<Exchanged, ExchangeError>,
    code: &str,
) -> (ExchangeErrorKind, String) {
    let error = result.unwrap_err();
    assert_clean(&texts(&error), code);
    (error.kind(), error.source().unwrap().to_string())
}

/// The second half of a code is the same in a URL, where the colon is not.
#[track_caller]
fn assert_clean(text: &str, code: &str) {
    let text = text.to_lowercase();
    let half = code.rsplit(':').next().filter(|half| half.len() > 8);
    for secret in [SECRET, half.unwrap_or(code), "secret=", "token="] {
        assert!(!text.contains(&secret.to_lowercase()), "{secret} in {text}");
    }
}

/// A request, as one text: method, path and query, headers, body; parameters in the alphabet's order.
pub fn asked(request: &Request<Bytes>) -> String {
    let mut text = format!("{} {}", request.method(), request.uri().path());
    if let Some(query) = request.uri().query() {
        write!(text, "?{}", in_order(query)).unwrap();
    }
    let mut headers: Vec<_> = request.headers().iter().collect();
    headers.retain(|(name, _)| !["accept", "content-length", "host"].contains(&name.as_str()));
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        write!(text, "\n{name}: {}", value.to_str().unwrap()).unwrap();
    }
    let body = std::str::from_utf8(request.body()).unwrap();
    match serde_json::from_str::<Value>(body) {
        Ok(value) => write!(text, "\n\n{value}").unwrap(),
        Err(_) if body.is_empty() => {}
        Err(_) => write!(text, "\n\n{}", in_order(body)).unwrap(),
    }
    text
}

fn in_order(pairs: &str) -> String {
    let mut pairs: Vec<_> = pairs.split('&').collect();
    pairs.sort_unstable();
    pairs.join("&")
}

/// The last request of a login with [`CODE`].
pub async fn request_of<F: Fake, P: Provider>() -> String {
    let (fake, provider) = start::<F, P>().await;
    exchange(&provider, CODE).await.unwrap();
    asked(fake.received().last().unwrap())
}

pub async fn a_good_code_logs_in<F: Fake, P: Provider>(says: &Says) {
    let (fake, provider) = start::<F, P>().await;
    let first = exchange(&provider, "alice:1").await.unwrap();
    let second = exchange(&provider, "alice:2").await.unwrap();
    let other = exchange(&provider, "bob:1").await.unwrap();
    assert_eq!(first.identity().appid(), APPID);
    assert!(first.identity().openid().len() > 8);
    assert_eq!(first.identity().unionid(), None);
    assert_eq!(first.identity(), second.identity());
    assert_ne!(first.identity(), other.identity());
    assert_eq!(first.session_key().is_some(), says.has_session_key);
    assert!(!says.has_session_key || first.session_key() != second.session_key());

    let fake = fake.with_unionids();
    let third = exchange(&provider, "alice:3").await.unwrap();
    assert_eq!(third.identity().unionid().is_some(), says.has_unionid);
    assert_eq!(fake.exchanges(), 4);

    let elsewhere = LoginRequest::new("appunknown", "alice:4");
    let error = provider.exchange(elsewhere).await.unwrap_err();
    assert_eq!(error.kind(), BadRequest);
    assert_eq!(fake.exchanges(), 4);
}

pub async fn a_code_dies<F: Fake, P: Provider>(says: &Says) {
    let (fake, provider) = start::<F, P>().await;
    exchange(&provider, CODE).await.unwrap();
    let (early, late) = (fake.code("alice"), fake.code("alice"));
    fake.advance(says.lifetime - Duration::from_secs(1));
    exchange(&provider, &early).await.unwrap();
    fake.advance(Duration::from_secs(1));
    for code in [CODE, &late, "no-code-of-anybody"] {
        let (kind, text) = failure(exchange(&provider, code).await, code);
        assert_eq!(kind, CodeRejected);
        assert!(text.starts_with(says.used), "{text}");
    }
    let policy = provider.code_policy(APPID);
    assert_eq!(
        format!("{policy:?}"),
        format!("{:?}", policy.with_lifetime(says.lifetime))
    );
}

pub async fn every_fault_is_met_once<F: Fake, P: Provider>(
    hasty: impl Fn(P, Duration) -> P,
    says: &Says,
) {
    let (fake, provider) = start::<F, P>().await;
    let hasty = hasty(provider.clone(), SHORT);
    let [busy, blocked, limited, quota] = says.faults;
    for (name, (kind, text)) in [
        ("busy", busy),
        ("blocked", blocked),
        ("limited", limited),
        ("quota", quota),
        ("string-errcode", (CodeRejected, says.used)),
        (
            "empty-openid",
            (Unavailable, "unreadable answer with status 200: no "),
        ),
        ("broken", (Unavailable, "unreadable answer with status ")),
        (
            "error5xx",
            (
                Unavailable,
                "unreadable answer with status 502: no JSON object",
            ),
        ),
        ("cut", (Unavailable, "answer cut off: ")),
        (
            "reset",
            (Unavailable, "no answer: connection closed before"),
        ),
        ("slow", (Unavailable, "timed out after 200ms")),
        ("slowbody", (Unavailable, "timed out after 200ms")),
    ] {
        let code = format!("{name}:canary-code");
        let provider = if name.starts_with("slow") {
            &hasty
        } else {
            &provider
        };
        let (seen, cause) = failure(exchange(provider, &code).await, &code);
        assert_eq!(seen, kind, "{name}: {cause}");
        assert!(cause.starts_with(text), "{name}: {cause}");
        assert_eq!(fake.exchanges_of(&code), 1, "{name}");
    }
}

pub async fn a_code_of_the_application<F: Fake, P: Provider>(
    says: impl Fn(P, &str, ExchangeErrorKind) -> P,
) {
    let (_fake, provider) = start::<F, P>().await;
    let code = "errcode-77777:canary-code";
    assert_eq!(
        failure(exchange(&provider, code).await, code).0,
        Misconfigured
    );
    let provider = says(says(provider, "77777", BadRequest), "77777", UserBlocked);
    assert_eq!(
        failure(exchange(&provider, code).await, code).0,
        UserBlocked
    );
}

pub async fn no_secret_gets_out<F: Fake, P: Provider>() {
    let (log, _guard) = Log::from(Level::TRACE);
    let (fake, provider) = start::<F, P>().await;
    for name in ["alice", "busy", "reset", "cut", "error5xx", "broken"] {
        let code = format!("{name}:canary-code-0123456789");
        exchange(&provider, &code).await.ok();
    }
    let wrong = P::at(fake.base_url(), "cAnArYsEcReT0123-but-wrong");
    let (kind, text) = failure(exchange(&wrong, "alice:2").await, "alice:2");
    assert_eq!(kind, Misconfigured, "{text}");
    for provider in [&provider, &wrong] {
        assert_clean(&format!("{provider:?} {provider:#?}"), CODE);
    }
    let text = log.text();
    assert!(text.contains("connect"), "nothing was logged: {text}");
    assert_clean(&text, CODE);
    assert_clean(&text, "cAnArYsEcReT0123-but-wrong");
}

pub async fn a_login_ends_in_a_session<F: Fake, P: Provider>() {
    let (fake, provider) = start::<F, P>().await;
    let sessions = Sessions::new(MemoryStore::new());
    let login = Login::new(sessions.clone(), provider);
    let body = format!(r#"{{"code":"{CODE}"}}"#);
    for status in [StatusCode::OK, StatusCode::OK] {
        let request = Request::post("/login").body(body.clone()).unwrap();
        let response = login.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let session = sessions
            .check(body["token"].as_str().unwrap())
            .await
            .unwrap();
        assert_eq!(session.appid(), APPID);
    }
    assert_eq!(fake.exchanges_of(CODE), 1);
}
