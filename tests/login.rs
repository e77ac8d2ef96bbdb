//! Logging in, over real HTTP with a fake WeChat.
#![cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{Request, Version};
use serde::{Deserialize, Serialize};
use support::Op;
use support::golden::{Golden, LAYER, LOGIN, golden};
use support::http::{Answer, Server, client};
use support::world::{App, Gateway, HOUR, SECOND, World, until, within_ten_seconds};
use tokio::time::Instant;
use tower::ServiceExt;
use tower_wx_session::login::{
    ExchangeError, ExchangeErrorKind, Exchanged, IdentityProvider, Login, LoginRequest, Refusal,
};
use tower_wx_session::response::Preset;
use tower_wx_session::store::{MemoryStore, RevokeReason};
use tower_wx_session::test_util::{FakeWeChat, ManualClock};
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{Identity, RejectionKind, Session, SessionKey, SessionLayer, Sessions};

const MAGIC: &str = "F2C224D4-2BCE-4C64-AF9F-A6D872000D1A";

#[track_caller]
fn assert_refused(answer: &Answer, row: &Golden) {
    let seen = (answer.status, &*answer.body, answer.header("retry-after"));
    assert_eq!(seen, (row.status, row.json, row.retry_after));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[track_caller]
fn assert_rejected(answer: &Answer) {
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

#[tokio::test]
async fn with_several_apps_the_client_names_one() {
    let mut world = World::new().await;
    world.fake = world.fake.with_app("wxtwo", "secret of two");
    let wechat = world.wechat().with_app("wxtwo", "secret of two");
    let login = Login::new(world.sessions.clone(), wechat);
    let app = world.start_with(world.layer(), login).await;
    let one = world.fake.appid();
    let bad = golden(LOGIN, "bad request");

    let cases: &[(Option<&str>, Option<&str>, Option<&str>)] = &[
        // In the body, in the header, the app that is logged in to.
        (Some(one), None, Some(one)),
        (None, Some(one), Some(one)),
        (None, Some("wxtwo"), Some("wxtwo")),
        (Some("wxtwo"), Some("wxtwo"), Some("wxtwo")),
        (Some(""), Some("wxtwo"), Some("wxtwo")),
        (Some("wxtwo"), Some(""), Some("wxtwo")),
        (None, None, None),
        (Some(""), Some(""), None),
        (Some("wxthree"), None, None),
        (None, Some("wxthree"), None),
        (Some("WXTWO"), None, None),
        (Some(one), Some("wxtwo"), None),
        (Some("wxtwo"), Some("wxthree"), None),
    ];
    for (turn, (body, header, appid)) in cases.iter().enumerate() {
        let code = format!("alice:{turn}");
        let json = match body {
            Some(body) => serde_json::json!({ "code": code, "appid": body }),
            None => serde_json::json!({ "code": code }),
        };
        // What WeChat itself sends along is not a choice of the client's.
        let mut request = app
            .client
            .post(app.server.url("/login"))
            .header(
                "referer",
                "https://servicewechat.com/wxtwo/1/page-frame.html",
            )
            .body(json.to_string());
        if let Some(header) = header {
            request = request.header("x-wx-appid", *header);
        }
        let answer = Answer::to(request).await;
        match appid {
            Some(appid) => {
                let session = world.sessions.check(&answer.token()).await.unwrap();
                assert_eq!(session.appid(), *appid, "{body:?} {header:?}");
            }
            None => {
                assert_refused(&answer, bad);
                assert_eq!(world.fake.exchanges_of(&code), 0);
            }
        }
    }
}

#[tokio::test]
async fn the_only_app_need_not_be_named_but_no_other_can_be() {
    let world = World::new().await;
    let app = world.start().await;
    let named = |appid: &str| {
        app.post_code("alice:1")
            .header("x-wx-appid", appid.to_owned())
    };
    let bad = golden(LOGIN, "bad request");
    assert_refused(&Answer::to(named("wxother")).await, bad);
    assert_refused(&Answer::to(named("wx\u{e9}")).await, bad);
    Answer::to(named(world.fake.appid())).await.token();
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

/// Sends the same code in parallel.
async fn log_in_often(app: &App, code: &str, times: usize) -> Vec<Answer> {
    let requests = (0..times).map(|_| tokio::spawn(Answer::to(app.post_code(code))));
    let mut answers = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        answers.push(request.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_requests_with_one_code_share_one_exchange() {
    let world = World::new().await;
    let app = world.start().await;
    let answers = log_in_often(&app, "alice:1", 100).await;
    let tokens: HashSet<_> = answers.iter().map(Answer::token).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);

    let refusals = log_in_often(&app, "busy:1", 100).await;
    let first = refusals
        .iter()
        .filter(|answer| answer.status == 503)
        .count();
    assert!(first > 0);
    for refusal in refusals.iter().filter(|answer| answer.status != 503) {
        assert_rejected(refusal);
    }
    assert_eq!(world.fake.exchanges_of("busy:1"), 1);
}

#[tokio::test]
async fn a_repeat_gets_the_same_token_for_five_seconds() {
    let world = World::new().await;
    let app = world.start().await;
    let first = app.log_in("alice:1").await;
    world.clock.advance(5 * SECOND - Duration::from_millis(1));
    assert_eq!(app.log_in("alice:1").await, first);
    world.clock.advance(Duration::from_millis(1));
    assert_rejected(&app.log_in("alice:1").await);
    world.clock.advance(290 * SECOND);
    assert_rejected(&app.log_in("alice:1").await);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
    assert_eq!(app.me(&first.token()).await.status, 200);
}

#[tokio::test]
async fn a_code_that_may_be_spent_is_refused_for_five_minutes() {
    let world = World::new().await;
    let app = world.start().await;
    for code in ["busy:1", "cut:1", "reset:1", "error5xx:1"] {
        let refusal = app.log_in(code).await;
        assert_refused(&refusal, golden(LOGIN, "provider unavailable"));
    }
    world.clock.advance(300 * SECOND - Duration::from_millis(1));
    for code in ["busy:1", "cut:1", "reset:1", "error5xx:1"] {
        assert_rejected(&app.log_in(code).await);
        assert_eq!(world.fake.exchanges_of(code), 1);
    }
    app.log_in("busy-no-more:1").await.token();
}

#[tokio::test]
async fn the_same_code_of_two_apps_is_two_codes() {
    let mut world = World::new().await;
    world.fake = world.fake.with_app("wxtwo", "secret of two");
    let wechat = world.wechat().with_app("wxtwo", "secret of two");
    let login = Login::new(world.sessions.clone(), wechat);
    let app = world.start_with(world.layer(), login).await;
    let of = |appid: &str| {
        Answer::to(
            app.post_code("busy:1")
                .header("x-wx-appid", appid.to_owned()),
        )
    };
    for appid in [world.fake.appid(), "wxtwo"] {
        assert_refused(&of(appid).await, golden(LOGIN, "provider unavailable"));
    }
    assert_eq!(world.fake.exchanges_of("busy:1"), 2);
}

#[tokio::test]
async fn the_token_of_a_session_that_is_over_is_not_replayed() {
    let world = World::new().await;
    let app = world.start().await;
    let first = app.log_in("alice:1").await;
    let session = world.sessions.check(&first.token()).await.unwrap();
    world
        .sessions
        .revoke(&session, RevokeReason::LoggedOut)
        .await
        .unwrap();
    assert_rejected(&app.log_in("alice:1").await);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
}

#[tokio::test]
async fn without_replay_every_repeat_is_refused() {
    let world = World::new().await;
    let login = world.login().without_replay();
    let app = world.start_with(world.layer(), login).await;
    let token = app.log_in("alice:1").await.token();
    assert_rejected(&app.log_in("alice:1").await);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
    assert_eq!(app.me(&token).await.status, 200);
}

#[tokio::test]
async fn no_code_is_spent_while_the_store_is_down() {
    let world = World::new().await;
    let app = world.start().await;
    world.outage.of_all();
    for _ in 0..3 {
        assert_refused(&app.log_in("alice:1").await, golden(LOGIN, "store down"));
    }
    assert_eq!(world.fake.exchanges_of("alice:1"), 0);
    world.outage.is_over();
    app.log_in("alice:1").await.token();
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
}

#[tokio::test]
async fn a_good_exchange_survives_a_failing_store_for_five_seconds() {
    for op in [Op::Insert, Op::PutSessionKey, Op::TagKeys] {
        let world = World::new().await;
        let app = world.start().await;
        let down = golden(LOGIN, "store down");
        world.outage.of(&[op]);
        for code in ["alice:1", "bob:1", "bob:1"] {
            assert_refused(&app.log_in(code).await, down);
        }
        world.outage.is_over();
        world.clock.advance(5 * SECOND - Duration::from_millis(1));
        let token = app.log_in("alice:1").await.token();
        assert_eq!(app.me(&token).await.status, 200, "{op:?}");
        assert_eq!(app.log_in("alice:1").await.token(), token);

        world.clock.advance(Duration::from_millis(1));
        assert_rejected(&app.log_in("bob:1").await);
        for code in ["alice:1", "bob:1"] {
            assert_eq!(world.fake.exchanges_of(code), 1, "{op:?}");
        }
    }
}

/// An application whose exchanges wait at a gateway.
async fn behind_gateway(world: &World) -> (App, Gateway) {
    let gateway = Gateway::start(&world.fake).await;
    let wechat = world.wechat().with_base_url(&gateway.url()).unwrap();
    let wechat = wechat.with_timeout(20 * SECOND);
    let login = Login::new(world.sessions.clone(), wechat);
    (world.start_with(world.layer(), login).await, gateway)
}

#[track_caller]
fn assert_too_busy(answer: &Answer) -> u64 {
    let row = golden(LOGIN, "provider unavailable");
    assert_eq!((answer.status, &*answer.body), (row.status, row.json));
    let wait = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((3..=6).contains(&wait), "{wait}");
    wait
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exchange_after_the_64th_in_flight_waits_for_its_turn() {
    let world = World::new().await;
    let (app, gateway) = behind_gateway(&world).await;
    let log_in = |code: String| tokio::spawn(Answer::to(app.post_code(&code)));
    let running: Vec<_> = (0..64)
        .map(|turn| log_in(format!("user-{turn}:1")))
        .collect();
    gateway.wait_for(64).await;

    let asked = world.store.calls(Op::Now);
    let waiting = log_in("alice:1".to_owned());
    until(|| world.store.calls(Op::Now) > asked).await;
    assert_eq!(world.fake.exchanges_of("alice:1"), 0);
    gateway.open();
    for login in running {
        login.await.unwrap().token();
    }
    within_ten_seconds(waiting).await.unwrap().token();
    assert_eq!(world.fake.exchanges(), 65);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_code_is_spent_if_the_store_goes_down_while_it_waits_for_its_turn() {
    let world = World::new().await;
    let gateway = Gateway::start(&world.fake).await;
    let wechat = world.wechat().with_base_url(&gateway.url()).unwrap();
    let login = Login::new(world.sessions.clone(), wechat).with_exchanges_in_flight(1);
    let app = world.start_with(world.layer(), login).await;
    let running = tokio::spawn(Answer::to(app.post_code("bob:1")));
    gateway.wait_for(1).await;

    let asked = world.store.calls(Op::Now);
    let waiting = tokio::spawn(Answer::to(app.post_code("alice:1")));
    until(|| world.store.calls(Op::Now) > asked).await;
    world.outage.of_all();
    gateway.open();
    for login in [running, waiting] {
        let refusal = within_ten_seconds(login).await.unwrap();
        assert_refused(&refusal, golden(LOGIN, "store down"));
    }
    assert_eq!(world.fake.exchanges_of("alice:1"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_gets_its_token_when_it_comes_back() {
    let world = World::new().await;
    let (app, gateway) = behind_gateway(&world).await;
    let login = tokio::spawn(Answer::to(app.post_code("alice:1")));
    gateway.wait_for(1).await;
    login.abort();
    assert!(login.await.unwrap_err().is_cancelled());

    // Once while the exchange still runs, once when it has ended.
    let repeat = tokio::spawn(Answer::to(app.post_code("alice:1")));
    tokio::task::yield_now().await;
    gateway.open();
    let token = within_ten_seconds(repeat).await.unwrap().token();
    assert_eq!(app.log_in("alice:1").await.token(), token);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
    assert_eq!(app.me(&token).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_away_leave_no_exchange_taken() {
    let world = World::new().await;
    let (app, gateway) = behind_gateway(&world).await;
    for round in 0..2 {
        let logins: Vec<_> = (0..64)
            .map(|turn| tokio::spawn(Answer::to(app.post_code(&format!("user-{turn}:{round}")))))
            .collect();
        gateway.wait_for(64 * (round + 1)).await;
        logins.iter().for_each(tokio::task::JoinHandle::abort);
        if round == 0 {
            gateway.open();
            until(|| world.store.calls(Op::Insert) == 64).await;
        }
    }
    until(|| world.store.calls(Op::Insert) == 128).await;
    app.log_in("alice:1").await.token();
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    role: String,
    level: u8,
}

fn profile_of(identity: &Identity) -> Profile {
    let role = format!("member {}", identity.openid());
    Profile { role, level: 7 }
}

async fn app_with_profiles(world: &World, login: Login<support::HookedStore, WeChat>) -> App {
    let profile = async |session: Session| {
        let profile = session.data::<Profile>().unwrap();
        profile.map_or("none".to_owned(), |profile| {
            format!("{} {}", profile.role, profile.level)
        })
    };
    let app = Router::new()
        .route("/me", get(profile))
        .layer(SessionLayer::new(world.sessions.clone()))
        .route_service("/login", login);
    App {
        server: Server::start(app).await,
        client: client(Version::HTTP_11),
    }
}

#[tokio::test]
async fn what_on_login_returns_is_the_data_of_the_session() {
    let world = World::new().await;
    let plain = app_with_profiles(&world, world.login()).await;
    let token = plain.log_in("alice:0").await.token();
    assert_eq!(plain.me(&token).await.body, "none");
    let openid = world
        .sessions
        .check(&token)
        .await
        .unwrap()
        .openid()
        .to_owned();

    let without_captures = world
        .login()
        .on_login(async |identity: &Identity| Ok(profile_of(identity)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_by_hook = Arc::clone(&seen);
    let with_a_capture = world.login().on_login(move |identity: &Identity| {
        let (seen, profile) = (Arc::clone(&seen_by_hook), profile_of(identity));
        async move {
            seen.lock().unwrap().push(profile.clone());
            Ok(profile)
        }
    });
    for (login, code) in [(without_captures, "alice:1"), (with_a_capture, "alice:2")] {
        let app = app_with_profiles(&world, login).await;
        let token = app.log_in(code).await.token();
        assert_eq!(app.me(&token).await.body, format!("member {openid} 7"));
    }
    assert_eq!(seen.lock().unwrap().len(), 1);

    let nothing = world.login().on_login(async |_: &Identity| Ok(()));
    let app = app_with_profiles(&world, nothing).await;
    let token = app.log_in("alice:3").await.token();
    assert_eq!(app.me(&token).await.body, "none");
}

#[tokio::test]
async fn on_login_refuses_the_blocked_and_leaves_no_session() {
    let world = World::new().await;
    let login = world
        .login()
        .on_login(async |_: &Identity| Err::<(), _>(Refusal::blocked()));
    let app = world.start_with(world.layer(), login).await;
    assert_refused(&app.log_in("alice:1").await, golden(LOGIN, "user blocked"));
    assert_rejected(&app.log_in("alice:1").await);
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
    assert_eq!(world.store.calls(Op::Insert), 0);
}

#[tokio::test]
async fn on_login_that_cannot_tell_costs_no_second_exchange() {
    let world = World::new().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let login = world.login().on_login(move |_: &Identity| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            match call {
                0 | 1 => Err(Refusal::unavailable("no database")),
                _ => Ok(()),
            }
        }
    });
    let app = world.start_with(world.layer(), login).await;
    for _ in 0..2 {
        let refusal = app.log_in("alice:1").await;
        assert_refused(&refusal, golden(LOGIN, "provider unavailable"));
    }
    app.log_in("alice:1").await.token();
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_panic_in_on_login_ends_that_login_only() {
    let world = World::new().await;
    let is_first = AtomicUsize::new(0);
    let login = world.login().on_login(move |_: &Identity| {
        let is_first = is_first.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            assert!(!is_first, "a panic that the test wants");
            Ok(())
        }
    });
    let app = world.start_with(world.layer(), login).await;
    let unavailable = golden(LOGIN, "provider unavailable");
    assert_refused(
        &within_ten_seconds(app.log_in("alice:1")).await,
        unavailable,
    );
    app.log_in("bob:1").await.token();

    let repeat = within_ten_seconds(app.log_in("alice:1")).await;
    assert!([400, 503].contains(&repeat.status), "{repeat:?}");
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
}

#[tokio::test]
async fn a_login_retires_the_live_token_that_it_presents_after_the_grace() {
    for header in ["authorization", "x-wx-skey"] {
        let world = World::new().await;
        let app = world.start().await;
        let old = app.log_in("alice:1").await.token();
        let other = app.log_in("alice:2").await.token();
        assert_eq!(app.me(&old).await.status, 200);
        let value = match header {
            "authorization" => format!("Bearer {old}"),
            _ => old.clone(),
        };
        let new = Answer::to(app.post_code("alice:3").header(header, value))
            .await
            .token();

        world.clock.advance(30 * SECOND - Duration::from_millis(1));
        for token in [&old, &other, &new] {
            assert_eq!(app.me(token).await.status, 200, "{header}");
        }
        world.clock.advance(Duration::from_millis(1));
        assert_refused(&app.me(&old).await, golden(LAYER, "replaced"));
        for token in [&other, &new] {
            assert_eq!(app.me(token).await.status, 200, "{header}");
        }
    }
}

#[tokio::test]
async fn a_login_leaves_everybody_else_s_token_alone() {
    let mut world = World::new().await;
    world.fake = world.fake.with_app("wxtwo", "secret of two");
    let wechat = world.wechat().with_app("wxtwo", "secret of two");
    let login = Login::new(world.sessions.clone(), wechat);
    let app = world.start_with(world.layer(), login).await;
    let log_in = |code: &str, appid: &str, presented: &str| {
        let request = app.post_code(code).header("x-wx-appid", appid.to_owned());
        Answer::to(request.bearer_auth(presented))
    };
    let one = world.fake.appid();
    let old = log_in("alice:1", one, "").await.token();
    log_in("bob:1", one, &old).await.token();
    log_in("alice:2", "wxtwo", &old).await.token();
    // Rubbish, and what is over, change nothing about the login.
    log_in("bob:2", one, "rubbish").await.token();
    let over = log_in("alice:3", one, "").await.token();
    let session = world.sessions.check(&over).await.unwrap();
    world.sessions.kick_out(&session).await.unwrap();
    log_in("alice:4", one, &over).await.token();

    world.clock.advance(31 * SECOND);
    assert_eq!(app.me(&old).await.status, 200);
    assert_refused(&app.me(&over).await, golden(LAYER, "kicked out"));
}

/// The session_key of a code, which the fake makes from nothing else.
async fn key_of(code: &str) -> String {
    let twin = FakeWeChat::start().await.unwrap();
    let wechat = WeChat::new(twin.appid(), twin.secret());
    let wechat = wechat.with_base_url(twin.base_url()).unwrap();
    let login = LoginRequest::new(twin.appid(), code);
    let exchanged = wechat.exchange(login).await.unwrap();
    exchanged.session_key().unwrap().expose().to_owned()
}

#[tokio::test]
async fn the_session_key_is_kept_and_never_leaves() {
    let world = World::new().await;
    let app = world.start().await;
    let first = app.log_in("alice:1").await;
    let user = world.sessions.check(&first.token()).await.unwrap();
    let user = user.identity().clone();
    let (key1, key2) = (key_of("alice:1").await, key_of("alice:2").await);
    let kept = async || {
        let keys = world.sessions.session_key(&user).await.unwrap();
        let text =
            |key: Option<&tower_wx_session::SessionKey>| key.map(|key| key.expose().to_owned());
        (text(keys.newest()), text(keys.previous()))
    };
    assert_eq!(kept().await, (Some(key1.clone()), None));

    let second = app.log_in("alice:2").await;
    assert_eq!(kept().await, (Some(key2.clone()), Some(key1.clone())));
    // A repeat is no login.
    let repeat = app.log_in("alice:1").await;
    assert_eq!(kept().await, (Some(key2.clone()), Some(key1.clone())));
    let me = app.me(&second.token()).await;
    for answer in [first, second, repeat, me] {
        let text = format!("{answer:?}");
        assert!(!text.contains(&key1) && !text.contains(&key2));
    }
    world.clock.advance(HOUR);
    assert_eq!(kept().await, (Some(key2), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_users_log_in_at_the_same_time() {
    let world = World::new().await;
    let app = Arc::new(world.start().await);
    let logins: Vec<_> = (0..45)
        .map(|user| {
            let app = Arc::clone(&app);
            tokio::spawn(async move {
                let token = app.log_in(&format!("user-{user}:1")).await.token();
                (app.me(&token).await.body, token)
            })
        })
        .collect();
    let (mut openids, mut tokens) = (HashSet::new(), HashSet::new());
    for login in logins {
        let (openid, token) = login.await.unwrap();
        openids.insert(openid);
        tokens.insert(token);
    }
    assert_eq!((openids.len(), tokens.len()), (45, 45));
    assert_eq!(world.fake.exchanges(), 45);
}

/// Vouches for anyone at once, and counts.
struct Trusting(Arc<AtomicUsize>);

impl IdentityProvider for Trusting {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some("wxa")
    }

    async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        Ok(Exchanged::new(Identity::new("wxa", login.code())))
    }
}

#[tokio::test]
async fn a_full_memory_of_attempts_forgets_the_oldest_and_never_the_newest() {
    let exchanges = Arc::new(AtomicUsize::new(0));
    let sessions = Sessions::new(MemoryStore::new());
    let login = Login::new(sessions, Trusting(Arc::clone(&exchanges)));
    let log_in = |code: String| {
        let request = Request::post("/").body(format!(r#"{{"code":"{code}"}}"#));
        login.clone().oneshot(request.unwrap())
    };
    for turn in 0..20_000 {
        assert_eq!(
            log_in(format!("before-{turn}")).await.unwrap().status(),
            200
        );
    }
    for round in ["first", "repeat"] {
        for turn in 0..500 {
            let answer = log_in(format!("now-{turn}")).await.unwrap();
            assert_eq!(answer.status(), 200, "{round} of {turn}");
        }
    }
    assert_eq!(exchanges.load(Ordering::SeqCst), 20_500);
}

/// Gives up on codes that name a wait, hangs on those that say so, and vouches for all others.
struct Moody;

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

fn moody(clock: &ManualClock) -> Login<MemoryStore, Moody> {
    let store = MemoryStore::with_clock(clock.clone());
    let sessions = Sessions::builder(store).clock(clock.clone()).build();
    Login::new(sessions.unwrap(), Moody)
}

/// Logs in without a server, so that tokio's time can stand still.
async fn log_in_at(login: &Login<MemoryStore, Moody>, code: &str) -> Answer {
    let request = Request::post("/").body(format!(r#"{{"code":"{code}"}}"#));
    let response = login.clone().oneshot(request.unwrap()).await.unwrap();
    Answer::read(response.map(reqwest::Body::wrap).into()).await
}

#[tokio::test(start_paused = true)]
async fn exchanges_that_hang_end_by_the_deadline_and_free_their_places() {
    let login = moody(&ManualClock::new());
    let started = Instant::now();
    let hanging: Vec<_> = (0..64)
        .map(|turn| {
            let login = login.clone();
            tokio::spawn(async move { log_in_at(&login, &format!("hang-{turn}")).await })
        })
        .collect();
    tokio::time::sleep(SECOND).await;
    let unavailable = golden(LOGIN, "provider unavailable");
    assert_too_busy(&log_in_at(&login, "alice").await);
    assert_eq!(started.elapsed().as_secs(), 6);
    // Who joins an attempt waits no longer than it lasts.
    assert_refused(&log_in_at(&login, "hang-0").await, unavailable);
    for hanging in hanging {
        assert_refused(&hanging.await.unwrap(), unavailable);
    }
    let took = started.elapsed();
    assert!(
        took >= 10 * SECOND && took < 10 * SECOND + Duration::from_millis(10),
        "{took:?}"
    );

    log_in_at(&login, "alice").await.token();
    assert_rejected(&log_in_at(&login, "hang-0").await);
}

type Logins = Vec<tokio::task::JoinHandle<Answer>>;

/// Begins to log in, and has it come as far as it can by itself.
async fn begin(login: &Login<MemoryStore, Moody>, codes: impl Iterator<Item = String>) -> Logins {
    let begin = |code: String| {
        let login = login.clone();
        tokio::spawn(async move { log_in_at(&login, &code).await })
    };
    let logins = codes.map(begin).collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    logins
}

#[tokio::test(start_paused = true)]
async fn six_hundred_clients_at_once_are_all_served() {
    let login = moody(&ManualClock::new());
    let started = Instant::now();
    let mut logins = Vec::new();
    for client in 0..600 {
        let code = format!("takes-200-{client}");
        logins.extend(begin(&login, [code].into_iter()).await);
    }
    let mut refused = 0;
    for login in logins {
        refused += usize::from(login.await.unwrap().status != 200);
    }
    assert_eq!(refused, 0, "of 600");
    let took = started.elapsed();
    assert!(took < 3 * SECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn whose_turn_does_not_come_is_told_to_come_back_and_not_all_at_once() {
    let login = moody(&ManualClock::new()).with_exchanges_in_flight(1);
    let _hanging = begin(&login, ["hang".to_owned()].into_iter()).await;
    let started = Instant::now();
    let waiting = begin(&login, (0..4096).map(|client| client.to_string())).await;

    // Nobody waits in vain where too many do already.
    assert_too_busy(&log_in_at(&login, "one more").await);
    assert!(started.elapsed() < SECOND);

    let mut waits = HashMap::new();
    for login in waiting {
        let wait = assert_too_busy(&login.await.unwrap());
        *waits.entry(wait).or_insert(0) += 1;
    }
    assert_eq!(started.elapsed().as_secs(), 5);
    assert!(
        waits.len() == 4 && waits.values().all(|count| *count > 800),
        "{waits:?}"
    );

    tokio::time::sleep(5 * SECOND).await;
    for code in ["0", "4095", "one more"] {
        log_in_at(&login, code).await.token();
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_session_key_is_that_of_the_login_that_began_last() {
    let clock = ManualClock::new();
    let store = MemoryStore::with_clock(clock.clone());
    let sessions = Sessions::builder(store).clock(clock.clone()).build();
    let sessions = sessions.unwrap();
    let login = Login::new(sessions.clone(), Moody);
    // They end in the order in which they did not begin.
    let codes = ["takes-300-a", "takes-200-b", "takes-100-c"];
    let mut logins = Vec::new();
    for code in codes {
        logins.extend(begin(&login, [code.to_owned()].into_iter()).await);
        clock.advance(Duration::from_millis(1));
    }
    for login in logins {
        login.await.unwrap().token();
    }
    let user = Identity::new("wxa", "openid");
    let keys = sessions.session_key(&user).await.unwrap();
    let kept: Vec<_> = keys.iter().map(SessionKey::expose).collect();
    assert_eq!(
        kept,
        ["c", "b", "a"].map(|code| {
            let code = codes.iter().find(|known| known.ends_with(code)).unwrap();
            format!("key of {code}")
        })
    );
    assert_eq!(keys.newest().unwrap().expose(), kept[0]);
    assert_eq!(keys.previous().unwrap().expose(), kept[1]);
}

#[tokio::test(start_paused = true)]
async fn on_login_that_hangs_ends_by_the_deadline() {
    let login = moody(&ManualClock::new()).with_deadline(3 * SECOND);
    let login = login.on_login(async |identity: &Identity| {
        if identity.openid() == "bob" {
            pending::<()>().await;
        }
        Ok(())
    });
    let started = Instant::now();
    let refusal = log_in_at(&login, "bob").await;
    assert_refused(&refusal, golden(LOGIN, "provider unavailable"));
    let took = started.elapsed();
    assert!(took >= 3 * SECOND && took < 4 * SECOND, "{took:?}");

    assert_rejected(&log_in_at(&login, "bob").await);
    log_in_at(&login, "alice").await.token();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_without_end_is_fine() {
    let login = moody(&ManualClock::new()).with_deadline(Duration::MAX);
    log_in_at(&login, "alice").await.token();
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_for_repeats_for_five_seconds_only() {
    // The clock of the sessions stands still: what is forgotten is gone, not only refused.
    let login = moody(&ManualClock::new());
    let first = log_in_at(&login, "alice").await;
    tokio::time::sleep(5 * SECOND - Duration::from_millis(2)).await;
    assert_eq!(log_in_at(&login, "alice").await, first);
    tokio::time::sleep(Duration::from_millis(4)).await;
    assert_rejected(&log_in_at(&login, "alice").await);
}

#[tokio::test]
async fn the_sessions_of_another_app_are_not_known() {
    let world = World::with(|builder| builder.appids(["wxnone", "wxfa4efa4e00000001"])).await;
    let bound = world.sessions.clone();
    let elsewhere = world.another_node();
    let foreign = elsewhere.issue(Identity::new("wxother", "openid"));
    let foreign = foreign.await.unwrap();
    let (token, id) = (foreign.token().expose(), foreign.session().id());

    let app = world.start().await;
    let optional = world.start_with(world.layer().optional(), world.login());
    let optional = optional.await;
    let unknown = golden(LAYER, "never seen");
    for app in [&app, &optional] {
        // The second one is answered from memory.
        for _ in 0..2 {
            assert_refused(&app.me(token).await, unknown);
        }
        let call = app.client.post(app.server.url("/me")).bearer_auth(token);
        let call = Answer::to(call.header("content-type", "application/grpc")).await;
        assert_eq!((call.status, call.header("grpc-status")), (200, Some("16")));
        let message = call.header("grpc-message").unwrap();
        assert!(message.starts_with("session_unknown: "), "{message}");
    }
    assert_eq!(world.handler_calls(), 0);
    let kind = |rejection: tower_wx_session::Rejection| rejection.kind();
    let checked = bound.check(token).await.map_err(kind);
    assert_eq!(checked.unwrap_err(), RejectionKind::SessionUnknown);
    let checked = bound.check_again(id).await.map_err(kind);
    assert_eq!(checked.unwrap_err(), RejectionKind::SessionUnknown);
    let rotated = bound.rotate(id).await.map_err(kind);
    assert_eq!(rotated.unwrap_err(), RejectionKind::SessionUnknown);
    assert_eq!(bound.ended(id).await.kind(), RejectionKind::SessionUnknown);
    let issued = bound.issue(foreign.session().identity().clone()).await;
    assert_eq!(
        kind(issued.unwrap_err()),
        RejectionKind::ProviderMisconfigured
    );

    // Where it belongs nothing has happened to it; nor to our own.
    elsewhere.check(token).await.unwrap();
    let ours = app.log_in("alice:1").await.token();
    assert_eq!(app.me(&ours).await.status, 200);
    let rotated = bound.rotate(bound.check(&ours).await.unwrap().id()).await;
    assert_eq!(app.me(rotated.unwrap().token().expose()).await.status, 200);
}

#[tokio::test]
async fn a_login_to_another_app_spends_no_code() {
    let world = World::with(|builder| builder.appids(["wxother"])).await;
    let app = world.start().await;
    let misconfigured = golden(LOGIN, "misconfigured");
    assert_refused(&app.log_in("alice:1").await, misconfigured);
    let named = app
        .post_code("alice:2")
        .header("x-wx-appid", world.fake.appid());
    assert_refused(&Answer::to(named).await, golden(LOGIN, "bad request"));
    assert_eq!(world.fake.exchanges(), 0);

    let none: [&str; 0] = [];
    let error = Sessions::builder(MemoryStore::new()).appids(none).build();
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "appids: expected at least one, got []");
}

#[tokio::test]
async fn data_that_is_no_json_is_a_mistake_of_ours() {
    let login = moody(&ManualClock::new()).on_login(async |_: &Identity| {
        let keys_are_no_text = HashMap::from([((1, 2), 3)]);
        Ok(keys_are_no_text)
    });
    let refusal = log_in_at(&login, "alice").await;
    assert_refused(&refusal, golden(LOGIN, "misconfigured"));
    assert_rejected(&log_in_at(&login, "alice").await);
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
