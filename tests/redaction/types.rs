//! Public types, and what a handler is given.

use http::{HeaderValue, Request};
use tower::Layer;
use tower_wx_session::login::{
    ExchangeError, ExchangeErrorKind, Exchanged, IdentityProvider, Login, LoginRequest, Refusal,
};
use tower_wx_session::response::Preset;
use tower_wx_session::sessions::NewSession;
use tower_wx_session::store::{
    AnyStore, MemoryStore, PutSessionKey, RevokeReason, SessionStore, StoreError, StoreErrorKind,
    TagKey,
};
use tower_wx_session::test_util::FakeWeChat;
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{
    Identity, Rejection, RejectionKind, SessionKey, SessionLayer, SessionToken, TokenSource,
};

use super::run::{LOG, on_login};
use super::secrets::{DATA, SECRET, Secrets, debug};
use crate::support::errors::texts;
use crate::support::http::{Answer, Server, client};
use crate::support::nodes::node_in_real_time;
use crate::support::world::{HOUR, World};
use crate::support::{HookedStore, down};

#[tokio::test]
async fn no_public_type_prints_a_secret() {
    let mut secrets = Secrets::default();
    secrets.add(SECRET);
    let (key, code) = ("cAnArYkEy5v6AKRyjwEUhQ==", "cAnArYcOdE0123456789");
    secrets.add(key);
    secrets.add(code);

    let store = MemoryStore::new();
    let sessions = node_in_real_time(store.clone());
    let user = Identity::new("wxa", "alice");
    let new = NewSession::from(user.clone()).with_data(&DATA).unwrap();
    let issued = sessions.issue(new.clone()).await.unwrap();
    let token: &SessionToken = issued.token();
    secrets.add(token.expose().strip_prefix("wxs_").unwrap());
    let put = PutSessionKey::new(user.clone(), key.into(), [1; 16], HOUR, HOUR);
    store.put_session_key(put.clone()).await.unwrap();
    let fake = FakeWeChat::start().await.unwrap();
    let wechat = WeChat::new(fake.appid(), SECRET)
        .with_base_url(fake.base_url())
        .unwrap();
    let request = LoginRequest::new(fake.appid(), code);
    let misconfigured = wechat.exchange(request).await.unwrap_err();
    assert_eq!(misconfigured.kind(), ExchangeErrorKind::Misconfigured);
    let login = Login::new(sessions.clone(), wechat.clone()).on_login(on_login);
    let layer = SessionLayer::new(sessions.clone()).with_rejection_response(Preset::Wafer);
    let body = format!(r#"{{"code":"{code}"}}"#);
    let mut in_flight = login.clone();
    let in_flight = tower::Service::call(&mut in_flight, Request::post("/").body(body).unwrap());
    let inner = tower::service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(()))
    });
    let mut service = layer.layer(inner);
    let bearer = HeaderValue::try_from(format!("Bearer {}", token.expose())).unwrap();
    let checked = Request::builder().header("authorization", bearer).body(());
    let answering = tower::Service::call(&mut service, checked.unwrap());
    let revoke = sessions
        .revoke(token, RevokeReason::LoggedOut)
        .await
        .unwrap();
    let rejection = sessions.check(token.expose()).await.unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::SessionRevoked);
    let exchanged = Exchanged::new(user.clone()).with_session_key(SessionKey::new(key));
    let keys = sessions.session_key(&user).await.unwrap();
    assert_eq!(keys.newest().unwrap().expose(), key);
    let tag_key = TagKey::new(1, *b"cAnArYtAgKeY0123");
    secrets.add("cAnArYtAgKeY0123");
    secrets.add(&format!("{:?}", b"cAnArYtAgKeY0123"));
    let any_store = AnyStore::new(HookedStore::new(store.clone()));
    let bad_token = token
        .expose()
        .parse::<tower_wx_session::SessionId>()
        .unwrap_err();
    let bad_base = wechat
        .clone()
        .with_base_url(&format!("https://u:{SECRET}@h"))
        .unwrap_err();
    let store_error = StoreError::new(StoreErrorKind::Corrupt).caused_by(down());
    let exchange_error = ExchangeError::new(ExchangeErrorKind::BadRequest);

    for text in [
        debug(token),
        debug(&issued),
        debug(issued.session()),
        debug(&new),
        debug(&put),
        debug(&store),
        debug(&any_store),
        debug(&sessions),
        debug(&wechat),
        debug(&fake),
        debug(&request),
        debug(&login),
        debug(&layer),
        debug(&in_flight),
        debug(&service),
        debug(&answering),
        debug(&revoke),
        debug(&exchanged),
        debug(&keys),
        debug(&tag_key),
        debug(&TokenSource::query("sid")),
        debug(&Refusal::unavailable("no database")),
        texts(&misconfigured),
        texts(&exchange_error),
        texts(&rejection),
        texts(&Rejection::from(RejectionKind::StoreUnavailable)),
        texts(&store_error),
        texts(&bad_token),
        texts(&bad_base),
    ] {
        secrets.assert_none_in("a text", &text);
    }
    assert!(texts(&misconfigured).contains("errcode 40125"));
}

#[tokio::test]
async fn a_token_in_the_query_is_gone_behind_the_layer() {
    let _ = &*LOG;
    let world = World::new().await;
    let issued = world
        .sessions
        .issue(Identity::new("wxa", "alice"))
        .await
        .unwrap();
    let token = issued.token().expose();
    let layer = world
        .layer()
        .with_sources([TokenSource::bearer(), TokenSource::query("sid")]);
    let dump = async |request: axum::extract::Request| {
        tracing::info!("a handler that logs its request: {request:?}");
        format!("{:?} {:?}", request.uri(), request.headers())
    };
    let app = axum::Router::new()
        .route("/dump", axum::routing::get(dump))
        .layer(layer);
    let server = Server::start(app).await;
    let client = client(http::Version::HTTP_11);
    let mut secrets = Secrets::default();
    secrets.add(token.strip_prefix("wxs_").unwrap());
    // The client in this process is no part of the promise, and logs no URL of its own accord.
    for request in [
        client.get(server.url(&format!("/dump?a=1&sid={token}"))),
        client.get(server.url("/dump?a=1")).bearer_auth(token),
    ] {
        let answer = Answer::to(request).await;
        assert!(answer.body.starts_with("/dump?a=1 "), "{answer:?}");
        secrets.assert_none_in("the request", &answer.body);
    }
    let log = LOG.text();
    assert!(log.contains("a handler that logs its request"));
    secrets.assert_none_in("the log", &log);
}
