//! Every refusal, byte for byte.

use Form::*;
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Method, Response, Version};
use tower_wx_session::login::{Login, SessionKeyCheck, Validity};
use tower_wx_session::response::Preset;
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{Identity, Rejection, SessionKey, SessionLayer, Sessions, TokenSource};

use crate::support::HookedStore;
use crate::support::case::bring_about;
use crate::support::golden::{Golden, LAYER, LOGIN, golden};
use crate::support::http::{Answer, Server, client};
use crate::support::world::{HOUR, World, within_ten_seconds};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    Json,
    OkJson,
    OkCode,
    Wafer,
    Closure,
}

pub const FORMS: [Form; 5] = [Json, OkJson, OkCode, Wafer, Closure];
pub const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

fn teapot(rejection: &Rejection) -> Response<Bytes> {
    let body = format!("custom: {}", rejection.kind().reason());
    let response = Response::builder().status(418).header("x-custom", "yes");
    response.body(body.into()).unwrap()
}

/// The layer and the login service take the same responders.
macro_rules! in_form {
    ($service:expr, $form:expr) => {
        match $form {
            Json => $service,
            OkJson => $service.with_rejection_response(Preset::OkJson),
            OkCode => $service.with_rejection_response(Preset::OkCode),
            Wafer => $service.with_rejection_response(Preset::Wafer),
            Closure => $service.with_rejection_response(teapot),
        }
    };
}

pub fn layer(sessions: &Sessions<HookedStore>, form: Form) -> SessionLayer<HookedStore> {
    let sources = [TokenSource::bearer(), TokenSource::skey()];
    let layer = SessionLayer::new(sessions.clone()).with_sources(sources);
    in_form!(layer, form)
}

fn login(world: &World, form: Form) -> Login<HookedStore, WeChat> {
    in_form!(world.login(), form)
}

/// The answer that a row of a table stands for.
pub fn expected(row: &Golden, form: Form) -> Answer {
    let rejection = match row.retry_after {
        Some(seconds) => format!("{} Some({seconds})", row.kind),
        None => format!("{} None", row.kind),
    };
    let mut headers = vec![("x-rejection", &*rejection), ("x-wx-action", row.action())];
    if form == Closure {
        headers.push(("x-custom", "yes"));
        let reason = row.json.split_once(r#""reason":""#).unwrap().1;
        let reason = reason.split_once('"').unwrap().0;
        return Answer::new(418, &headers, format!("custom: {reason}"));
    }
    headers.extend([
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
    ]);
    headers.extend(
        row.challenge
            .map(|challenge| ("www-authenticate", challenge)),
    );
    headers.extend(row.retry_after.map(|seconds| ("retry-after", seconds)));
    let with_code = row
        .json
        .replace('}', &format!(r#","code":{}}}"#, row.status));
    let (status, body) = match form {
        Json => (row.status, row.json),
        OkJson => (200, row.json),
        OkCode => (200, &*with_code),
        Wafer | Closure => (row.wafer_status, row.wafer),
    };
    Answer::new(status, &headers, body)
}

/// `Login` adds headers to whatever a responder makes.
fn expected_of_login(row: &Golden, form: Form) -> Answer {
    let mut answer = expected(row, form);
    let mut add = |name: &str, value: &str| answer.headers.push((name.into(), value.into()));
    if form == Closure {
        add("cache-control", "no-store");
    }
    if row.case == "method" {
        add("allow", if form == Wafer { "GET, POST" } else { "POST" });
    }
    answer.headers.sort();
    answer
}

#[tokio::test]
async fn every_refusal_of_the_layer() {
    let clients = VERSIONS.map(client);
    for row in LAYER {
        for is_warm in [true, false] {
            let world =
                World::with(|sessions| sessions.lifetime(3 * HOUR).sessions_per_user(1)).await;
            let headers = bring_about(row.case, &world).await;
            let node = match is_warm {
                true => world.sessions.clone(),
                false => world.another_node(),
            };
            for form in FORMS {
                let server = Server::start(world.behind(layer(&node, form))).await;
                for client in &clients {
                    let request = client.post(server.url("/me")).body("body");
                    let request = headers.iter().fold(request, |request, (name, value)| {
                        request.header(*name, value)
                    });
                    let answer = Answer::to(request).await;
                    let context = format!("{}, {form:?}, warm: {is_warm}", row.case);
                    assert_eq!(answer, expected(row, form), "{context}");
                }
            }
            assert_eq!(world.handler_calls(), 0, "{}", row.case);
        }
    }
}

/// Says of every session_key that it is over.
struct Over;

impl SessionKeyCheck for Over {
    async fn check_session_key(&self, _: &Identity, _: &SessionKey) -> Validity {
        Validity::Over
    }
}

#[tokio::test]
async fn a_session_that_follows_its_session_key_is_refused_once_that_is_over() {
    let world = World::with(|sessions| sessions.following_session_keys(Over)).await;
    let app = world.start().await;
    let token = app.log_in("alice:1").await.token();
    world.clock.advance(HOUR);
    assert_eq!(app.me(&token).await.status, 200, "requests do not wait");
    within_ten_seconds(async {
        while app.me(&token).await.status == 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let row = golden(LAYER, "session_key over");
    assert_eq!(app.me(&token).await, expected(row, Json));
    // The login that it asks for brings another key.
    let token = app.log_in("alice:2").await.token();
    assert_eq!(app.me(&token).await.status, 200);
}

/// What WeChat is to answer for a case, by the name in the code.
fn code_for(case: &str, turn: usize) -> String {
    let name = match case {
        "code rejected" => "errcode-40029",
        "provider unavailable" => "busy",
        "minute quota" => "limited",
        "daily quota" => "quota",
        "user blocked" => "blocked",
        "misconfigured" => "errcode-40125",
        "bad request" => return String::new(),
        _ => "alice",
    };
    format!("{name}:{turn}")
}

#[tokio::test]
async fn every_refusal_of_the_login() {
    let clients = VERSIONS.map(client);
    let mut turn = 0;
    for row in LOGIN {
        let world = World::new().await;
        if row.case == "store down" {
            world.outage.of_all();
        }
        let method = match row.case {
            "method" => Method::PUT,
            _ => Method::POST,
        };
        for form in FORMS {
            let app = world.start_with(world.layer(), login(&world, form)).await;
            for client in &clients {
                turn += 1;
                let body = serde_json::json!({ "code": code_for(row.case, turn) });
                let request = client.request(method.clone(), app.server.url("/login"));
                let answer = Answer::to(request.body(body.to_string())).await;
                let context = format!("{}, {form:?}", row.case);
                assert_eq!(answer, expected_of_login(row, form), "{context}");
            }
            if form == Wafer && row.case != "method" {
                turn += 1;
                let request = app.client.get(app.server.url("/login"));
                let request = request.header("x-wx-code", code_for(row.case, turn));
                let answer = Answer::to(request).await;
                assert_eq!(answer, expected_of_login(row, form), "GET: {}", row.case);
            }
        }
    }
}

#[tokio::test]
async fn get_is_a_login_for_wafer_only() {
    let world = World::new().await;
    for form in [Json, OkJson, OkCode, Closure] {
        let app = world.start_with(world.layer(), login(&world, form)).await;
        let request = app.client.get(app.server.url("/login"));
        let answer = Answer::to(request.header("x-wx-code", "alice:1")).await;
        let refusal = expected_of_login(golden(LOGIN, "method"), form);
        assert_eq!(answer, refusal, "{form:?}");
    }
    assert_eq!(world.fake.exchanges(), 0);
}

#[tokio::test]
async fn a_rejection_that_a_handler_returns_looks_like_the_preset_json() {
    let world = World::new().await;
    let sessions = world.sessions.clone();
    let check = async move || sessions.check("rubbish").await.map(|_| ());
    let server = Server::start(Router::new().route("/check", get(check))).await;
    let answer = Answer::to(client(Version::HTTP_11).get(server.url("/check"))).await;
    assert_eq!(answer, expected(golden(LAYER, "malformed"), Json));
}

#[tokio::test]
async fn a_mini_program_of_alipay_sees_the_body_and_others_the_status() {
    let world = World::new().await;
    let (layer, login) = (world.layer(), world.login());
    let app = world
        .start_with(
            layer.with_rejection_response(Preset::ByPlatform),
            login.with_rejection_response(Preset::ByPlatform),
        )
        .await;
    let alipay = "https://2021000000000001.hybrid.alipay-eco.com/2021000000000001/0.1.0/index.html";
    let wechat = "https://servicewechat.com/wxfa4efa4e00000001/7/page-frame.html";
    for (referer, form) in [(alipay, OkJson), (wechat, Json)] {
        let request = app.client.get(app.server.url("/me"));
        let answer = Answer::to(request.header("referer", referer)).await;
        assert_eq!(answer, expected(golden(LAYER, "missing"), form));
        let login = app.client.post(app.server.url("/login")).body("{}");
        let answer = Answer::to(login.header("referer", referer)).await;
        assert_eq!(
            answer,
            expected_of_login(golden(LOGIN, "bad request"), form)
        );
    }
}
