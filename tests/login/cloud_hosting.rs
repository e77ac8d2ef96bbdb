//! Logging in without a code, by the headers of WeChat Cloud Hosting.

use std::future::pending;
use std::sync::atomic::Ordering;

use tower_wx_session::Identity;
use tower_wx_session::login::{CloudHosting, Login, Refusal};
use tower_wx_session::response::Preset;
use tower_wx_session::wechat::WeChat;

use super::answer::assert_refused;
use crate::support::HookedStore;
use crate::support::golden::{LOGIN, golden};
use crate::support::http::Answer;
use crate::support::world::{App, SECOND, World};

fn trusting(world: &World) -> Login<HookedStore, WeChat> {
    world
        .login()
        .with_cloud_hosting(CloudHosting::dangerously_trusting_headers())
}

async fn start(world: &World) -> App {
    world.start_with(world.layer(), trusting(world)).await
}

/// What the gateway makes of `wx.cloud.callContainer` to `/login`.
fn call(app: &App, appid: &str, body: &'static str) -> reqwest::RequestBuilder {
    let request = app.client.post(app.server.url("/login")).body(body);
    [
        ("X-WX-SERVICE", "shop"),
        ("X-WX-ENV", "prod-0g000000"),
        ("X-WX-SOURCE", "wx_client"),
        ("X-WX-APPID", appid),
        ("X-WX-OPENID", "oGZUI0egBJY1zhBYw2KhdUfwVJJE"),
        ("X-WX-UNIONID", "o6_bmasdasdsad6_2sgVtMHMb0tG"),
        ("X-Original-Forwarded-For", "203.0.113.7"),
    ]
    .into_iter()
    .fold(request, |request, (name, value)| {
        request.header(name, value)
    })
}

#[tokio::test]
async fn a_call_from_within_wechat_needs_no_code() {
    let world = World::new().await;
    let app = start(&world).await;
    for body in ["", "{}", r#"{"code":""}"#] {
        let answer = Answer::to(call(&app, world.fake.appid(), body)).await;
        let session = world.sessions.check(&answer.token()).await.unwrap();
        let user = session.identity();
        assert_eq!(user.appid(), world.fake.appid());
        assert_eq!(user.openid(), "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
        assert_eq!(user.unionid(), Some("o6_bmasdasdsad6_2sgVtMHMb0tG"));
    }
    let user = Identity::new(world.fake.appid(), "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
    assert_eq!(world.sessions.list(&user).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_code_counts_before_the_headers() {
    let world = World::new().await;
    let app = start(&world).await;
    let appid = world.fake.appid();
    let answer = Answer::to(call(&app, appid, r#"{"code":"alice:1"}"#)).await;
    let session = world.sessions.check(&answer.token()).await.unwrap();
    assert_ne!(session.openid(), "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
    assert_eq!(world.fake.exchanges_of("alice:1"), 1);
}

#[tokio::test]
async fn a_get_is_for_codes() {
    let world = World::new().await;
    let login = trusting(&world).with_rejection_response(Preset::Wafer);
    let app = world.start_with(world.layer(), login).await;
    let mut get = call(&app, world.fake.appid(), "").build().unwrap();
    *get.method_mut() = reqwest::Method::GET;
    assert_eq!(app.client.execute(get).await.unwrap().status(), 400);
}

#[tokio::test]
async fn the_headers_are_nothing_unless_they_are_believed() {
    let world = World::new().await;
    let app = world.start().await;
    let bad = golden(LOGIN, "bad request");
    for body in ["", "{}", r#"{"code":""}"#] {
        let answer = Answer::to(call(&app, world.fake.appid(), body)).await;
        assert_refused(&answer, bad);
    }
}

#[tokio::test]
async fn only_the_provider_s_apps_and_those_of_this_node_are_taken() {
    let world = World::with(|builder| builder.appids(["wxfa4efa4e00000001"])).await;
    let wechat = world.wechat().with_app("wxtwo", "secret of two");
    let cloud = CloudHosting::dangerously_trusting_headers();
    let login = Login::new(world.sessions.clone(), wechat).with_cloud_hosting(cloud);
    let app = world.start_with(world.layer(), login).await;
    Answer::to(call(&app, world.fake.appid(), "")).await.token();
    for appid in ["wxtwo", "wxthree"] {
        let answer = Answer::to(call(&app, appid, "")).await;
        assert_refused(&answer, golden(LOGIN, "bad request"));
    }
}

#[tokio::test]
async fn a_request_from_elsewhere_or_with_two_users_is_refused() {
    let world = World::new().await;
    let app = start(&world).await;
    let post = || app.client.post(app.server.url("/login"));
    let from_public_domain = post()
        .header("x-wx-appid", world.fake.appid())
        .header("x-wx-openid", "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
    let with_two = call(&app, world.fake.appid(), "").header("x-wx-openid", "another");
    let of_a_platform = call(&app, world.fake.appid(), r#"{"platform":"qq"}"#);
    for request in [post(), from_public_domain, with_two, of_a_platform] {
        let answer = Answer::to(request).await;
        assert_refused(&answer, golden(LOGIN, "bad request"));
    }
}

#[tokio::test]
async fn the_application_and_the_deadline_have_their_say() {
    let world = World::new().await;
    let blocking = trusting(&world).on_login(async |_: &Identity| Err::<(), _>(Refusal::blocked()));
    let app = world.start_with(world.layer(), blocking).await;
    let answer = Answer::to(call(&app, world.fake.appid(), "")).await;
    assert_refused(&answer, golden(LOGIN, "user blocked"));

    let hanging = trusting(&world)
        .with_deadline(SECOND / 10)
        .on_login(async |_: &Identity| pending::<Result<(), Refusal>>().await);
    let app = world.start_with(world.layer(), hanging).await;
    let answer = Answer::to(call(&app, world.fake.appid(), "")).await;
    assert_refused(&answer, golden(LOGIN, "provider unavailable"));
    assert_eq!(world.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_store_is_down_for_them_as_for_others() {
    let world = World::new().await;
    let app = start(&world).await;
    world.outage.of_all();
    let answer = Answer::to(call(&app, world.fake.appid(), "")).await;
    assert_refused(&answer, golden(LOGIN, "store down"));
}
