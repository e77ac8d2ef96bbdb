//! Checking and resetting session_keys.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower_wx_session::login::{SessionKeyCheck, Validity};
use tower_wx_session::test_util::Fault;
use tower_wx_session::wechat::{ApiErrorKind, ResetError, WeChat};
use tower_wx_session::{Identity, SessionKey};

use super::support::nodes::{node_with, store_on_a_clock};
use super::support::switchable;
use super::wechat::{CHECK, Site, wire};
use crate::support::errors::texts;

/// What OpenSSL says to `printf '' | openssl dgst -sha256 -hmac KEY`, and Python's `hmac`.
const SIGNATURES: [(&str, &str); 1] = [(
    "tiihtNczf5v6AKRyjwEUhQ==",
    "7154f9f8b4b76b92f541cbf0e37d48840fa06e5e42da92a6f80168a1516a4735",
)];

#[tokio::test]
async fn the_requests_are_as_documented() {
    let site = Site::start().await;
    let (user, _) = site.log_in("alice:1").await;
    let token = site.token().await;
    for (key, signature) in SIGNATURES {
        let key = SessionKey::new(key);
        let query = format!(
            "access_token={token}&openid={}&signature={signature}&sig_method=hmac_sha256",
            user.openid()
        );
        site.wechat.check_session_key(&user, &key).await;
        let checked = wire(&site.last_request());
        assert_eq!(checked, format!("GET {CHECK}?{query}"));

        site.wechat
            .reset_session_key(&user, &key)
            .await
            .unwrap_err();
        let reset = wire(&site.last_request());
        assert_eq!(reset, format!("GET /wxa/resetusersessionkey?{query}"));

        site.wechat.encryption_keys(&user, &key).await.unwrap_err();
        let asked = wire(&site.last_request());
        let path = "/wxa/business/getuserencryptkey";
        assert_eq!(asked, format!("GET {path}?{query}"));
    }
}

#[tokio::test]
async fn a_key_is_valid_until_it_is_over() {
    let site = Site::start().await;
    let (user, old) = site.log_in("alice:1").await;
    let check = |key: SessionKey| {
        let (wechat, user) = (site.wechat.clone(), user.clone());
        async move { wechat.check_session_key(&user, &key).await }
    };
    assert!(matches!(check(old.clone()).await, Validity::Valid));
    let (_, new) = site.log_in("alice:2").await;
    assert!(matches!(check(old).await, Validity::Over));
    assert!(matches!(check(new.clone()).await, Validity::Valid));
    site.fake.end_session_keys();
    assert!(matches!(check(new).await, Validity::Over));
}

#[tokio::test]
async fn whatever_is_not_about_the_key_says_nothing_of_the_user() {
    let site = Site::start().await;
    let (user, key) = site.log_in("alice:1").await;
    site.token().await;
    let errcodes = [-1, 40003, 40013, 45009, 45011, 48001, 87008, 87010, 12345];
    let faults = errcodes.map(Fault::Errcode).into_iter();
    for fault in faults.chain([Fault::Broken, Fault::Error5xx, Fault::Cut, Fault::Reset]) {
        site.fake.answer_next(fault);
        let validity = site.wechat.check_session_key(&user, &key).await;
        assert!(matches!(validity, Validity::CannotTell(_)), "{fault:?}");
    }
    for errcode in [87007, 87009] {
        site.fake.answer_next(Fault::Errcode(errcode));
        let validity = site.wechat.check_session_key(&user, &key).await;
        assert!(matches!(validity, Validity::Over), "{errcode}");
    }
    for errcode in [40001, 40014, 42001] {
        site.fake.fail_all(Some(Fault::Errcode(errcode)));
        let validity = site.wechat.check_session_key(&user, &key).await;
        assert!(matches!(validity, Validity::CannotTell(_)), "{errcode}");
    }
    site.fake.fail_all(None);
    let validity = site.wechat.check_session_key(&user, &key).await;
    assert!(matches!(validity, Validity::Valid));
}

/// A gateway that lets through requests for tokens, and answers others in JSON of its own.
async fn gateway() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = vec![0; 4096];
            let length = stream.read(&mut heard).await.unwrap_or_default();
            let is_for_a_token = heard[..length].starts_with(b"POST /cgi-bin/stable_token");
            let body = match is_for_a_token {
                true => r#"{"access_token":"token","expires_in":7200}"#,
                false => r#"{"message":"no server is available"}"#,
            };
            let head = format!("Connection: close\r\nContent-Length: {}", body.len());
            let answer = format!("HTTP/1.1 503 Service Unavailable\r\n{head}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    url
}

#[tokio::test]
async fn an_answer_without_an_errcode_says_nothing_of_the_user() {
    let wechat = WeChat::new("wx1", "secret").with_base_url(&gateway().await);
    let (user, key) = (Identity::new("wx1", "openid"), SessionKey::new("key"));
    let validity = wechat.unwrap().check_session_key(&user, &key).await;
    assert!(matches!(validity, Validity::CannotTell(_)), "{validity:?}");
}

#[tokio::test]
async fn users_of_its_own_apps_only_are_wechat_s() {
    let site = Site::start().await;
    let appid = site.fake.appid();
    for (appid, is_known) in [
        (appid, true),
        (&format!("wx:{appid}"), true),
        ("qq:1109000000", false),
        ("wxother", false),
    ] {
        assert_eq!(site.wechat.knows(appid), is_known, "{appid}");
    }
}

#[tokio::test]
async fn a_reset_key_replaces_the_old_one_and_is_kept() {
    let site = Site::start().await;
    let (clock, store) = store_on_a_clock();
    let sessions = node_with(&store, &clock, |builder| builder);
    let (user, old) = site.log_in("alice:1").await;
    sessions.put_session_key(&user, &old).await.unwrap();
    clock.advance(std::time::Duration::from_secs(1));

    let reset = site.wechat.reset_kept_session_key(&sessions, &user);
    let new = reset.await.unwrap();
    assert_ne!(new, old);
    let kept = sessions.session_key(&user).await.unwrap();
    assert_eq!((kept.newest(), kept.previous()), (Some(&new), None));
    let check = |key: &SessionKey| {
        let (wechat, user, key) = (site.wechat.clone(), user.clone(), key.clone());
        async move { wechat.check_session_key(&user, &key).await }
    };
    assert!(matches!(check(&old).await, Validity::Over));
    assert!(matches!(check(&new).await, Validity::Valid));
}

#[tokio::test]
async fn what_cannot_be_reset_or_kept_says_so_and_loses_nothing() {
    let site = Site::start().await;
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node_with(&store, &clock, |builder| builder);
    let (user, key) = site.log_in("alice:1").await;
    let reset = || site.wechat.reset_kept_session_key(&sessions, &user);
    assert!(matches!(reset().await, Err(ResetError::NoKey)));

    sessions.put_session_key(&user, &key).await.unwrap();
    is_down.store(true, Ordering::SeqCst);
    assert!(matches!(reset().await, Err(ResetError::Store(_))));
    assert_eq!(site.fake.requests_to("/wxa/resetusersessionkey"), 0);

    is_down.store(false, Ordering::SeqCst);
    let store = store.inner.clone();
    let store = super::support::HookedStore::new(store);
    let store = store.before(|op| async move {
        match op {
            super::support::Op::PutSessionKey => Err(super::support::down()),
            _ => Ok(()),
        }
    });
    let sessions = node_with(&store, &clock, |builder| builder);
    let reset = site.wechat.reset_kept_session_key(&sessions, &user).await;
    let Err(ResetError::NotKept(new, error)) = reset else {
        panic!("the store takes no key: {reset:?}");
    };
    assert_eq!(
        site.fake
            .session_key_of(user.appid(), user.openid())
            .as_deref(),
        Some(new.expose())
    );
    assert!(!texts(&error).contains(new.expose()));

    site.fake.end_session_keys();
    let over = site.wechat.reset_session_key(&user, &new).await;
    assert_eq!(over.unwrap_err().kind(), ApiErrorKind::SessionKeyOver);
}

#[tokio::test]
async fn a_user_s_three_encryption_keys_come_as_they_are() {
    let site = Site::start().await;
    let (user, key) = site.log_in("alice:1").await;
    let keys = site.wechat.encryption_keys(&user, &key).await.unwrap();
    let versions: Vec<_> = keys.iter().map(|key| key.version()).collect();
    assert_eq!(versions, [10, 9, 8]);
    let lives: Vec<_> = keys.iter().map(|key| key.expires_in().as_secs()).collect();
    assert_eq!(lives, [3597, 0, 0]);
    assert_eq!(
        (keys[0].expose_key().len(), keys[0].expose_iv().len()),
        (24, 16)
    );
    let shown = format!("{keys:?} {keys:#?}");
    assert!(!shown.contains(keys[0].expose_key()) && !shown.contains(keys[0].expose_iv()));
}
