//! Alipay's logins: who is let in, and what a refusal says.

use std::error::Error;
use std::time::Duration;

use tower_wx_session::login::ExchangeErrorKind::{self, *};
use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
use tower_wx_session::platform::{Alipay, AlipayKeys, AlipayUserId};
use tower_wx_session::test_util::{FakeAlipay, Fault};
use tracing::Level;

use crate::support::errors::texts;
use crate::support::log::Log;
use crate::support::openssl::{openssl, private_key, public_key, stranger};

pub fn keys(fake: &FakeAlipay) -> AlipayKeys {
    AlipayKeys::new(fake.secret(), &fake.alipay_public_key()).unwrap()
}

pub async fn start() -> (FakeAlipay, Alipay) {
    let fake = FakeAlipay::start().await.unwrap();
    let alipay = Alipay::new(fake.appid(), keys(&fake));
    let alipay = alipay.with_base_url(fake.base_url()).unwrap();
    (fake, alipay.with_timeout(Duration::from_millis(500)))
}

pub async fn exchange(
    fake: &FakeAlipay,
    alipay: &Alipay,
    code: &str,
) -> Result<Exchanged, ExchangeError> {
    let request = LoginRequest::new(fake.appid(), code);
    alipay.exchange(request).await
}

/// The kind and the cause of a failure, once it is known to hold no secret.
#[track_caller]
fn failure(result: Result<Exchanged, ExchangeError>, code: &str) -> (ExchangeErrorKind, String) {
    let error = result.unwrap_err();
    assert_clean(&texts(&error), code);
    (error.kind(), error.source().unwrap().to_string())
}

/// The second half of a code is the same in a form, where the colon is not.
#[track_caller]
fn assert_clean(text: &str, code: &str) {
    let half = code.rsplit(':').next().filter(|half| half.len() > 8);
    assert!(!text.contains(half.unwrap_or(code)), "{code} in {text}");
    assert!(!text.contains("authusrB"), "a token in {text}");
    assert!(!text.contains("sign="), "a signature in {text}");
}

/// The kind that an error of Alipay becomes.
pub async fn kind_of(error: &'static str) -> ExchangeErrorKind {
    let (fake, alipay) = start().await;
    fake.answer_next(match error.parse() {
        Ok(code) => Fault::Errcode(code),
        Err(_) => Fault::Word(error),
    });
    let result = exchange(&fake, &alipay, "alice:canary-code").await;
    let (kind, text) = failure(result, "alice:canary-code");
    let (shown, _) = text.split_once(": ").unwrap();
    let shown = shown.strip_suffix(", unsigned").unwrap_or(shown);
    assert_eq!(shown.split(' ').next_back(), Some(error), "{text}");
    kind
}

#[tokio::test]
async fn a_good_code_gives_the_user_and_no_session_key() {
    let (fake, alipay) = start().await;
    let first = exchange(&fake, &alipay, "alice:1").await.unwrap();
    let second = exchange(&fake, &alipay, "alice:2").await.unwrap();
    let other = exchange(&fake, &alipay, "bob:1").await.unwrap();

    assert_eq!(first.identity().appid(), fake.appid());
    assert_eq!(first.identity(), second.identity());
    assert_ne!(first.identity(), other.identity());
    assert_eq!(first.identity().unionid(), None);
    assert!(first.session_key().is_none());

    let fake = FakeAlipay::start().await.unwrap().with_unionids();
    let alipay = alipay.with_base_url(fake.base_url()).unwrap();
    let third = exchange(&fake, &alipay, "alice:3").await.unwrap();
    assert!(third.identity().unionid().is_some());
}

#[tokio::test]
async fn several_apps_have_keys_of_their_own() {
    let (fake, alipay) = start().await;
    let fake = fake.with_app("2021other", stranger());
    let other = AlipayKeys::new(stranger(), &fake.alipay_public_key()).unwrap();
    let alipay = alipay.with_app("2021other", other);
    assert_eq!(alipay.resolve(None), None, "the client has to name one");

    for (appid, code) in [(fake.appid(), "alice:1"), ("2021other", "alice:2")] {
        assert_eq!(alipay.resolve(Some(appid)), Some(appid));
        let exchanged = alipay.exchange(LoginRequest::new(appid, code)).await;
        assert_eq!(exchanged.unwrap().identity().appid(), appid);
    }
    let unknown = LoginRequest::new("2021unknown", "alice:canary-code");
    let (kind, text) = failure(alipay.exchange(unknown).await, "alice:canary-code");
    assert_eq!((kind, &*text), (BadRequest, "no such app is configured"));
    assert_eq!(fake.exchanges(), 2);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_a_while() {
    let (fake, alipay) = start().await;
    let (early, late) = (fake.code("alice"), fake.code("alice"));
    exchange(&fake, &alipay, &early).await.unwrap();
    fake.advance(Duration::from_secs(24 * 3600));
    for code in [&*early, &late, "nobody", ":1"] {
        let (kind, text) = failure(exchange(&fake, &alipay, code).await, code);
        assert_eq!(kind, CodeRejected);
        assert_eq!(text, "error 40002 isv.code-invalid: 授权码code无效");
    }
}

#[tokio::test]
async fn whatever_goes_wrong_the_code_is_sent_once_and_shown_nowhere() {
    let (log, _guard) = Log::from(Level::TRACE);
    let (fake, alipay) = start().await;
    for (name, kind, text) in [
        ("busy", Unavailable, "error 20000 isp.unknow-error: "),
        ("blocked", CodeRejected, "error 40002 isv.code-invalid: "),
        (
            "limited",
            RateLimited(Duration::from_secs(60)),
            "error 40005 isv.app-call-limited: ",
        ),
        (
            "quota",
            RateLimited(Duration::from_secs(60)),
            "error 40005 isv.app-call-limited: ",
        ),
        (
            "errcode-40006",
            Misconfigured,
            "error 40006: Insufficient Permissions",
        ),
        (
            "empty-openid",
            Unavailable,
            "unreadable answer with status 200: no user_id and no open_id",
        ),
        ("broken", Unavailable, "unreadable answer with status 200: "),
        (
            "error5xx",
            Unavailable,
            "unreadable answer with status 502: ",
        ),
        ("cut", Unavailable, "answer cut off: "),
        ("reset", Unavailable, "no answer: "),
        ("slow", Unavailable, "timed out after 500ms"),
        ("slowbody", Unavailable, "timed out after 500ms"),
    ] {
        let code = format!("{name}:canary-code");
        let (seen, cause) = failure(exchange(&fake, &alipay, &code).await, &code);
        assert_eq!(seen, kind, "{name}");
        assert!(cause.starts_with(text), "{cause}");
        assert_eq!(fake.exchanges_of(&code), 1, "{name}");
    }
    exchange(&fake, &alipay, "alice:canary-code").await.unwrap();
    assert!(log.text().contains("connect"), "nothing was logged");
    assert_clean(&log.text(), ":canary-code");
}

#[tokio::test]
async fn wrong_keys_are_our_mistake_and_are_told_apart() {
    let (fake, _) = start().await;
    let (mine, alipays) = (fake.secret(), &fake.alipay_public_key());
    let (public, code) = (public_key(stranger()), "alice:canary-code");
    for (appid, private, public, text) in [
        (
            "2021unknown",
            mine,
            &**alipays,
            "error 40002 isv.invalid-app-id, unsigned: 无效",
        ),
        // Alipay repeats what it verified: the code is in it, and masked.
        (
            fake.appid(),
            stranger(),
            alipays,
            "error 40002 isv.invalid-signature: 验签出错",
        ),
        (
            fake.appid(),
            mine,
            &public,
            "wrong sign: not made with the key ",
        ),
    ] {
        let keys = AlipayKeys::new(private, public).unwrap();
        let alipay = Alipay::new(appid, keys)
            .with_base_url(fake.base_url())
            .unwrap();
        let result = alipay.exchange(LoginRequest::new(appid, code)).await;
        let (kind, cause) = failure(result, code);
        assert_eq!(kind, Misconfigured);
        assert!(cause.starts_with(text), "{cause}");
    }
}

#[tokio::test]
async fn keys_of_openssl_are_taken_if_they_are_long_enough() {
    let (fake, _) = start().await;
    let alipays = fake.alipay_public_key();
    let key = stranger();
    let traditional = openssl(&["rsa", "-traditional"], key);
    assert!(traditional.starts_with("-----BEGIN RSA PRIVATE KEY-----"));
    for private in [key, &traditional] {
        AlipayKeys::new(private, &alipays).unwrap();
    }
    let traditional = openssl(&["rsa", "-RSAPublicKey_out"], key);
    assert!(traditional.starts_with("-----BEGIN RSA PUBLIC KEY-----"));
    for public in [public_key(key), traditional] {
        AlipayKeys::new(fake.secret(), &public).unwrap();
    }

    let short = private_key("1024");
    let elliptic = openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "");
    for private in [&short, &elliptic] {
        let error = AlipayKeys::new(private, &alipays).unwrap_err().to_string();
        assert!(error.starts_with("app_private_key: "), "{error}");
        let public = public_key(private);
        let error = AlipayKeys::new(fake.secret(), &public)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("alipay_public_key: "), "{error}");
    }
}

#[tokio::test]
async fn an_error_is_of_the_kind_that_the_application_gave_it() {
    let (fake, alipay) = start().await;
    let alipay = alipay
        .with_error_kind("isv.of-tomorrow", UserBlocked)
        .with_error_kind("isv.missing-of-tomorrow", UserBlocked);
    for (error, kind) in [
        ("isv.of-tomorrow", UserBlocked),
        // This one the fake does not sign.
        ("isv.missing-of-tomorrow", Misconfigured),
    ] {
        fake.answer_next(Fault::Word(error));
        let result = exchange(&fake, &alipay, "alice:canary-code").await;
        assert_eq!(failure(result, "alice:canary-code").0, kind, "{error}");
    }
}

#[tokio::test]
async fn users_are_named_by_the_id_that_was_chosen() {
    let (fake, alipay) = start().await;
    let open_id = alipay.clone().with_user_id(AlipayUserId::OpenId);
    exchange(&fake, &open_id, "alice:1").await.unwrap();
    let user_id = alipay.with_user_id(AlipayUserId::UserId);
    let result = exchange(&fake, &user_id, "alice:canary-code").await;
    let (kind, text) = failure(result, "alice:canary-code");
    assert_eq!(kind, Misconfigured);
    assert!(text.starts_with("no user_id: "), "{text}");
}

#[tokio::test]
async fn it_is_built_without_a_gateway_and_shows_no_key() {
    let (fake, _) = start().await;
    let alipay = Alipay::new(fake.appid(), keys(&fake));
    let shown = format!("{alipay:?} {:?}", keys(&fake));
    let host = "hosts: [\"https://openapi.alipay.com/\"], timeout: 3s";
    assert!(shown.contains(host), "{shown}");
    for key in [fake.secret(), &*fake.alipay_public_key()] {
        for part in key
            .as_bytes()
            .chunks(16)
            .map(|part| str::from_utf8(part).unwrap())
        {
            assert!(!shown.contains(part), "{shown}");
        }
    }
    for url in [
        "https://gateway.internal/gateway.do",
        "https://gateway.internal/gateway.do/",
        "https://gateway.internal",
    ] {
        let shown = format!("{:?}", alipay.clone().with_base_url(url).unwrap());
        assert!(shown.contains("[\"https://gateway.internal/\"]"), "{shown}");
    }
    assert!(alipay.with_base_url("gateway.internal").is_err());
}
