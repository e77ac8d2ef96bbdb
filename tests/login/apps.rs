//! Which app a login is to, and whose sessions a node takes.

use tower_wx_session::login::Login;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::{Identity, RejectionKind, Sessions};

use super::answer::assert_refused;
use crate::support::golden::{LAYER, LOGIN, golden};
use crate::support::http::Answer;
use crate::support::world::World;

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
    let two = named(world.fake.appid()).header("x-wx-appid", "wxother");
    assert_refused(&Answer::to(two).await, bad);
    Answer::to(named(world.fake.appid())).await.token();
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

    let refusal = |appids: &[&str]| {
        let built = Sessions::builder(MemoryStore::new()).appids(appids.to_vec());
        built.build().unwrap_err().to_string()
    };
    assert_eq!(refusal(&[]), "appids: expected at least one, got []");
    assert_eq!(
        refusal(&["wxshop", ""]),
        r#"appids: expected none that is empty, got ["wxshop", ""]"#
    );
}
