//! `WeChat` against a fake WeChat, over real HTTP.

use std::error::Error;
use std::time::Duration;

use tower_wx_session::login::ExchangeErrorKind::{self, *};
use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
use tower_wx_session::test_util::FakeWeChat;
use tower_wx_session::wechat::WeChat;
use tracing::Level;

use crate::support::errors::texts;
use crate::support::log::Log;

pub const APPID: &str = "wxcanary";
pub const SECRET: &str = "cAnArYsEcReT0123456789abcdef0123";
pub const KEY: &str = "cAnArYkEy5v6AKRyjwEUhQ==";

pub fn wechat(base_url: &str) -> WeChat {
    WeChat::new(APPID, SECRET).with_base_url(base_url).unwrap()
}

pub async fn start() -> (FakeWeChat, WeChat) {
    let fake = FakeWeChat::start().await.unwrap().with_app(APPID, SECRET);
    let wechat = wechat(fake.base_url());
    (fake, wechat)
}

pub async fn exchange(wechat: &WeChat, code: &str) -> Result<Exchanged, ExchangeError> {
    wechat.exchange(LoginRequest::new(APPID, code)).await
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
    let secrets = [
        SECRET,
        KEY,
        code,
        half.unwrap_or(code),
        "secret=",
        "js_code=",
    ];
    for secret in secrets.map(str::to_lowercase) {
        assert!(!text.contains(&secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_good_code_gives_the_user_and_a_session_key() {
    let (_fake, wechat) = start().await;
    let first = exchange(&wechat, "alice:1").await.unwrap();
    let second = exchange(&wechat, "alice:2").await.unwrap();
    let other = exchange(&wechat, "bob:1").await.unwrap();

    let identity = first.identity();
    assert_eq!(identity.appid(), APPID);
    assert_eq!(identity.openid().len(), 28);
    assert!(identity.openid().starts_with('o'));
    assert_eq!(identity.unionid(), None);
    assert_eq!(identity, second.identity());
    assert_ne!(identity, other.identity());

    let key = first.session_key().unwrap();
    assert_eq!(key.expose().len(), 24);
    assert_ne!(Some(key), second.session_key());
    assert!(!format!("{first:?}").contains(key.expose()));
}

#[tokio::test]
async fn a_unionid_is_the_same_in_every_app() {
    let fake = FakeWeChat::start().await.unwrap();
    let fake = fake.with_app(APPID, SECRET).with_unionids();
    let wechat = wechat(fake.base_url()).with_app(fake.appid(), fake.secret());

    let here = exchange(&wechat, "alice:1").await.unwrap();
    let there = LoginRequest::new(fake.appid(), "alice:2");
    let there = wechat.exchange(there).await.unwrap();
    assert_eq!(here.identity().unionid(), there.identity().unionid());
    assert!(here.identity().unionid().is_some());
    assert_ne!(here.identity().openid(), there.identity().openid());
    assert_eq!(there.identity().appid(), fake.appid());
}

#[tokio::test]
async fn a_used_code_is_rejected() {
    let (fake, wechat) = start().await;
    exchange(&wechat, "alice:canary-code").await.unwrap();
    let again = exchange(&wechat, "alice:canary-code").await;
    let (kind, text) = failure(again, "alice:canary-code");
    assert_eq!(kind, CodeRejected);
    assert!(
        text.starts_with("errcode 40163: code been used, rid: "),
        "{text}"
    );
    assert_eq!(fake.exchanges_of("alice:canary-code"), 2);
}

#[tokio::test]
async fn a_code_dies_after_five_minutes() {
    let (fake, wechat) = start().await;
    let (early, late) = (fake.code("alice"), fake.code("alice"));
    fake.advance(Duration::from_secs(299));
    exchange(&wechat, &early).await.unwrap();
    exchange(&wechat, "alice:free-form").await.unwrap();

    fake.advance(Duration::from_secs(1));
    let (kind, text) = failure(exchange(&wechat, &late).await, &late);
    assert_eq!(kind, CodeRejected);
    assert!(text.starts_with("errcode 40029: "), "{text}");
}

#[tokio::test]
async fn every_errcode_has_its_class() {
    let (fake, wechat) = start().await;
    for (errcode, kind) in [
        (40029, CodeRejected),
        (40163, CodeRejected),
        (42003, CodeRejected),
        (61010, CodeRejected),
        (-1, Unavailable),
        (45011, RateLimited(Duration::from_secs(60))),
        (45009, RateLimited(Duration::from_secs(3600))),
        (40226, UserBlocked),
        (50001, UserBlocked),
        (50002, UserBlocked),
        (41008, BadRequest),
        (40013, Misconfigured),
        (41002, Misconfigured),
        (40125, Misconfigured),
        (41004, Misconfigured),
        (40164, Misconfigured),
        (48001, Misconfigured),
        (89503, Misconfigured),
        (12345, Misconfigured),
    ] {
        let code = format!("errcode-{errcode}:canary-code");
        let (seen, text) = failure(exchange(&wechat, &code).await, &code);
        assert_eq!(seen, kind, "{errcode}");
        assert!(text.starts_with(&format!("errcode {errcode}: ")), "{text}");
        assert_eq!(fake.exchanges_of(&code), 1);
    }
}

#[tokio::test]
async fn wrong_credentials_are_our_mistake() {
    let fake = FakeWeChat::start().await.unwrap().with_app(APPID, SECRET);
    for (appid, secret, text) in [
        ("wxunknown", SECRET, "errcode 40013: "),
        ("", SECRET, "errcode 41002: "),
        (APPID, "cAnArYsEcReT", "errcode 40125: "),
        (APPID, "", "errcode 41004: "),
    ] {
        let wechat = WeChat::new(appid, secret);
        let wechat = wechat.with_base_url(fake.base_url()).unwrap();
        let login = LoginRequest::new(appid, "alice:canary-code");
        let (kind, cause) = failure(wechat.exchange(login).await, "alice:canary-code");
        assert_eq!(kind, Misconfigured);
        assert!(cause.starts_with(text), "{cause}");
    }
}

#[tokio::test]
async fn what_is_no_code_is_no_login() {
    let (_fake, wechat) = start().await;
    for (code, kind) in [
        ("", BadRequest),
        ("alice", CodeRejected),
        (":1", CodeRejected),
        ("errcode-x", CodeRejected),
    ] {
        assert_eq!(
            exchange(&wechat, code).await.unwrap_err().kind(),
            kind,
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_code_reaches_wechat_as_it_came() {
    let (fake, wechat) = start().await;
    let code = "al&ice=#?:+ %2B/\\\"\u{e9}\u{1f600}\r\n&secret=x";
    exchange(&wechat, code).await.unwrap();
    assert_eq!(fake.exchanges_of(code), 1);
}

#[tokio::test]
async fn an_app_that_is_not_configured_spends_no_code() {
    let (fake, wechat) = start().await;
    let login = LoginRequest::new("wxother", "alice:canary-code");
    let (kind, text) = failure(wechat.exchange(login).await, "alice:canary-code");
    assert_eq!((kind, &*text), (BadRequest, "no such app is configured"));
    assert_eq!(fake.exchanges(), 0);
}

#[tokio::test]
async fn nothing_secret_is_logged_on_the_way_even_at_trace_level() {
    let (log, _guard) = Log::from(Level::TRACE);
    let (_fake, wechat) = start().await;
    for name in ["alice", "busy", "reset", "cut", "error5xx"] {
        let code = format!("{name}:canary-code");
        exchange(&wechat, &code).await.ok();
    }
    let text = log.text();
    assert!(text.contains("connect"), "nothing was logged: {text}");
    assert_clean(&text, ":canary-code");
}

#[tokio::test]
async fn an_exchange_that_is_dropped_harms_nobody() {
    let (fake, wechat) = start().await;
    let slow = wechat.clone();
    let dropped = tokio::spawn(async move { exchange(&slow, "slow:1").await.is_ok() });
    while fake.exchanges_of("slow:1") == 0 {
        tokio::task::yield_now().await;
    }
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());

    exchange(&wechat, "alice:1").await.unwrap();
    assert_eq!(fake.exchanges_of("slow:1"), 1);
}

#[tokio::test]
async fn the_fake_ends_when_it_is_dropped() {
    let (fake, wechat) = start().await;
    exchange(&wechat, "alice:1").await.unwrap();
    drop(fake);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let result = exchange(&wechat, "alice:2").await;
    assert_eq!(failure(result, "alice:2").0, Unavailable);
}

#[test]
fn it_is_built_without_a_runtime_and_shows_no_secret() {
    let wechat = wechat("http://127.0.0.1:1").with_app("wx2", "cAnArYsEcReT-2");
    for text in [format!("{wechat:?}"), format!("{wechat:#?}")] {
        assert!(!text.contains("cAnArYsEcReT"), "{text}");
        assert!(text.contains("wx2"), "{text}");
    }
}
