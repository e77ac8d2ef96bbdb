//! What a login is answered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use tower::ServiceExt;
use tower_wx_session::Rejection;
use tower_wx_session::login::Login;
use tower_wx_session::response::Preset;
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::wechat::WeChat;

use super::moody::{log_in_at, moody};
use crate::support::golden::{Golden, LOGIN, golden};
use crate::support::http::Answer;
use crate::support::world::{HOUR, World};

const MAGIC: &str = "F2C224D4-2BCE-4C64-AF9F-A6D872000D1A";

#[track_caller]
pub fn assert_refused(answer: &Answer, row: &Golden) {
    let seen = (answer.status, &*answer.body, answer.header("retry-after"));
    assert_eq!(seen, (row.status, row.json, row.retry_after));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[track_caller]
pub fn assert_rejected(answer: &Answer) {
    assert_refused(answer, golden(LOGIN, "code rejected"));
}

#[track_caller]
fn assert_looks_like_a_token(token: &str) {
    let base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let encoded = token.strip_prefix("wxs_").unwrap();
    assert!(
        encoded.len() == 59 && encoded.chars().all(base64url),
        "{token}"
    );
}

#[tokio::test]
async fn a_good_code_gives_a_token_and_nothing_else() {
    let world = World::new().await;
    let app = world.start().await;
    let answer = app.log_in(&world.fake.code("alice")).await;
    let token = answer.token();
    assert_looks_like_a_token(&token);
    let headers = [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
    ];
    let body = format!(r#"{{"token":"{token}","expires_in":7200}}"#);
    assert_eq!(answer, Answer::new(200, &headers, body));

    let openid = app.me(&token).await.body;
    assert!(openid.starts_with('o') && openid.len() == 28, "{openid}");
    assert_eq!(
        app.me(&app.log_in("alice:2").await.token()).await.body,
        openid
    );
    assert_ne!(
        app.me(&app.log_in("bob:1").await.token()).await.body,
        openid
    );
}

#[tokio::test]
async fn expires_in_is_the_idle_timeout_in_whole_seconds() {
    for (idle, lifetime, seconds) in [
        (Duration::from_millis(90_900), HOUR, 90),
        (24 * HOUR, 24 * HOUR, 86_400),
        (2 * HOUR, HOUR, 3600),
    ] {
        let world = World::with(|b| b.idle_timeout(idle).lifetime(lifetime)).await;
        let answer = world.start().await.log_in("alice:1").await;
        assert_eq!(answer.json()["expires_in"], seconds);
    }
}

/// What a client of the first Wafer SDK takes for a login.
fn wafer1_session(body: &serde_json::Value) -> Option<(&str, &str)> {
    body.get(MAGIC).filter(|magic| **magic == 1)?;
    let session = body.get("session")?;
    Some((session.get("id")?.as_str()?, session.get("skey")?.as_str()?))
}

#[tokio::test]
async fn both_generations_of_wafer_clients_understand_a_login() {
    let world = World::new().await;
    let login = world.login().with_rejection_response(Preset::Wafer);
    let app = world.start_with(world.layer(), login).await;
    let requests = [
        app.client
            .get(app.server.url("/login"))
            .header("x-wx-code", "alice:1")
            .header("x-wx-encrypted-data", "ignored")
            .header("x-wx-iv", "ignored"),
        app.post_code("alice:2"),
    ];
    for request in requests {
        let answer = Answer::to(request).await;
        let token = answer.token();
        assert_looks_like_a_token(&token);
        let id = world.sessions.check(&token).await.unwrap().id().to_string();
        let body = format!(
            concat!(
                r#"{{"token":"{0}","expires_in":7200,"F2C224D4-2BCE-4C64-AF9F-A6D872000D1A":1,"#,
                r#""code":0,"session":{{"id":"{1}","skey":"{0}"}},"#,
                r#""data":{{"skey":"{0}","userinfo":{{}}}}}}"#,
            ),
            token, id,
        );
        let headers = [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
        ];
        assert_eq!(answer, Answer::new(200, &headers, body));

        let json = answer.json();
        assert_eq!(wafer1_session(&json), Some((&*id, &*token)));
        assert_eq!(json.get("error"), None);
        assert_eq!(
            (&json["code"], &json["data"]["skey"]),
            (&0.into(), &(&*token).into())
        );
        assert!(json["data"]["userinfo"].is_object());

        let as_wafer = app.client.get(app.server.url("/me"));
        let as_wafer = as_wafer.header("x-wx-id", &id).header("x-wx-skey", &token);
        assert_eq!(Answer::to(as_wafer).await.status, 200);
    }
}

#[tokio::test]
async fn every_errcode_and_every_fault_has_its_refusal() {
    let world = World::new().await;
    let app = world.start().await;
    for (case, names) in [
        (
            "code rejected",
            &[
                "errcode-40029",
                "errcode-40163",
                "errcode-42003",
                "errcode-61010",
                "string-errcode",
            ][..],
        ),
        (
            "provider unavailable",
            &["busy", "broken", "error5xx", "cut", "reset", "empty-openid"],
        ),
        ("minute quota", &["errcode-45011"]),
        ("daily quota", &["errcode-45009"]),
        (
            "user blocked",
            &["errcode-40226", "errcode-50001", "errcode-50002"],
        ),
        (
            "misconfigured",
            &[
                "errcode-40013",
                "errcode-41002",
                "errcode-40125",
                "errcode-41004",
                "errcode-40164",
                "errcode-48001",
                "errcode-89503",
                "errcode-12345",
            ],
        ),
        ("bad request", &["errcode-41008"]),
    ] {
        for name in names {
            let code = format!("{name}:1");
            assert_refused(&app.log_in(&code).await, golden(LOGIN, case));
            // Whatever it was, the code is not sent again.
            assert_rejected(&app.log_in(&code).await);
            assert_eq!(world.fake.exchanges_of(&code), 1, "{code}");
        }
    }
}

#[tokio::test]
async fn a_slow_wechat_is_unavailable_and_the_code_is_not_sent_again() {
    let world = World::new().await;
    let wechat = world.wechat().with_timeout(Duration::from_millis(200));
    let login = Login::new(world.sessions.clone(), wechat);
    let app = world.start_with(world.layer(), login).await;
    for code in ["slow:1", "slowbody:1"] {
        let refusal = app.log_in(code).await;
        assert_refused(&refusal, golden(LOGIN, "provider unavailable"));
        assert_rejected(&app.log_in(code).await);
        assert_eq!(world.fake.exchanges_of(code), 1);
    }
}

#[tokio::test]
async fn wrong_credentials_and_nobody_listening() {
    let world = World::new().await;
    let wrong = WeChat::new(world.fake.appid(), "wrong secret");
    let wrong = wrong.with_base_url(world.fake.base_url()).unwrap();
    let gone = world.wechat().with_base_url("http://127.0.0.1:1").unwrap();
    for (wechat, case) in [(wrong, "misconfigured"), (gone, "provider unavailable")] {
        let login = Login::new(world.sessions.clone(), wechat);
        let app = world.start_with(world.layer(), login).await;
        assert_refused(&app.log_in("alice:1").await, golden(LOGIN, case));
    }
}

#[tokio::test]
async fn the_wait_of_a_refusal_is_rounded_up_to_whole_seconds() {
    let login = moody(&ManualClock::new());
    for (millis, seconds) in [
        (0, "1"),
        (1, "1"),
        (900, "1"),
        (1000, "1"),
        (1001, "2"),
        (60_000, "60"),
    ] {
        let refusal = log_in_at(&login, &format!("wait-{millis}")).await;
        assert_eq!(refusal.status, 429);
        assert_eq!(refusal.header("retry-after"), Some(seconds), "{millis} ms");
    }
}

#[tokio::test]
async fn whoever_makes_the_refusal_sees_neither_the_code_nor_the_old_token() {
    let world = World::new().await;
    let seen = Arc::new(Mutex::new(String::new()));
    let see = Arc::clone(&seen);
    let login = world
        .login()
        .with_rejection_response(move |_: &Rejection, head: &Parts| {
            *see.lock().unwrap() = format!("{head:?}");
            Response::new(Bytes::new())
        });
    let secrets = [
        "authorization",
        "x-wx-skey",
        "x-wx-code",
        "x-wx-iv",
        "x-wx-cloudbase-access-token",
        "x-wx-from-cloudbase-access-token",
    ];
    let request = Request::get("/login").header("user-agent", "a phone");
    let request = secrets.iter().fold(request, |request, name| {
        request.header(*name, "Bearer poison")
    });
    login
        .oneshot(request.body(String::new()).unwrap())
        .await
        .unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.contains("a phone"), "{seen}");
    assert!(!seen.contains("poison"), "{seen}");
}
