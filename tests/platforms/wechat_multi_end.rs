//! Logging in to multi-end apps.

use tower_wx_session::login::{ExchangeErrorKind, IdentityProvider, LoginRequest};
use tower_wx_session::test_util::{FakeWeChat, Fault};
use tower_wx_session::wechat::{ApiErrorKind, MultiEnd};

use super::wechat::wire;

const PATH: &str = "/donut/code2verifyinfo";
const APPID: &str = "donut1";
const SECRET: &str = "the secret of donut1";

async fn start() -> (FakeWeChat, MultiEnd) {
    let fake = FakeWeChat::start().await.unwrap().with_app(APPID, SECRET);
    let multi_end = MultiEnd::new(APPID, SECRET).with_base_url(fake.base_url());
    (fake, multi_end.unwrap())
}

#[tokio::test]
async fn the_requests_are_as_documented() {
    let (fake, multi_end) = start().await;
    multi_end.verify(APPID, "alice:1").await.unwrap();
    let [token, exchange] = &fake.received()[..] else {
        panic!("two requests");
    };
    assert_eq!(
        wire(token),
        "GET /cgi-bin/token?grant_type=client_credential&appid=donut1&secret=the+secret+of+donut1"
    );
    let query = exchange.uri().query().unwrap();
    assert!(
        query.starts_with("access_token=") && !query.contains('&'),
        "{query}"
    );
    assert_eq!(
        wire(exchange),
        format!(
            "GET {PATH}?{query} application/json {{\"appid\":\"donut1\",\
             \"appsecret\":\"the secret of donut1\",\"code\":\"alice:1\",\
             \"grant_type\":\"authorization_code\"}}"
        )
    );
    assert_eq!(
        exchange.headers()["content-length"],
        exchange.body().len().to_string()
    );
}

#[tokio::test]
async fn a_code_gives_the_user_and_all_that_is_known() {
    let (fake, multi_end) = start().await;
    let exchanged = multi_end
        .exchange(LoginRequest::new(APPID, "alice:1"))
        .await;
    let user = exchanged.unwrap().identity().clone();
    let all = multi_end.verify(APPID, "alice:2").await.unwrap();
    assert_eq!((user.appid(), user.openid()), (APPID, &*all.user_id));
    assert_eq!(user.unionid(), all.unionid());
    assert!(user.unionid().is_some());
    assert_eq!(all.login_type, "weixinMiniProgram");
    assert_eq!(all.mini_program.as_ref().unwrap().appid, fake.appid());
    assert_eq!(all.open_app, None);
    let phone = all.phone.as_deref().unwrap();
    assert!(!format!("{all:?}").contains(phone));
}

#[tokio::test]
async fn every_errcode_has_its_kind() {
    let (fake, multi_end) = start().await;
    multi_end.verify(APPID, "alice:1").await.unwrap();
    use ExchangeErrorKind::*;
    for (errcode, kind) in [
        (-1, Unavailable),
        (10001000, CodeRejected),
        (10001001, CodeRejected),
        (10001002, Misconfigured),
        (10001003, Misconfigured),
        (10001004, Misconfigured),
        (10001005, Misconfigured),
        (43001, Misconfigured),
    ] {
        fake.answer_next(Fault::Errcode(errcode));
        let before = fake.requests_to(PATH);
        let login = LoginRequest::new(APPID, "alice:9");
        let error = multi_end.exchange(login).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{errcode}");
        assert_eq!(fake.requests_to(PATH), before + 1);
    }
    let used = multi_end.verify(APPID, "alice:1").await.unwrap_err();
    assert_eq!(used.kind(), ApiErrorKind::CodeRejected);
    let unknown = multi_end.verify("other", "alice:1").await.unwrap_err();
    assert_eq!(unknown.kind(), ApiErrorKind::BadRequest);
}

#[tokio::test]
async fn the_token_may_come_from_stable_token() {
    let (fake, multi_end) = start().await;
    let multi_end = multi_end.with_stable_token();
    multi_end.verify(APPID, "alice:1").await.unwrap();
    fake.expire_access_tokens();
    multi_end.verify(APPID, "alice:2").await.unwrap();
    assert_eq!(fake.requests_to("/cgi-bin/stable_token"), 2);
    assert_eq!(fake.requests_to("/cgi-bin/token"), 0);
}

#[tokio::test]
async fn a_replaced_token_is_asked_for_again() {
    let (fake, multi_end) = start().await;
    let other = multi_end.clone().with_app("donut2", "x");
    multi_end.verify(APPID, "alice:1").await.unwrap();
    other.verify(APPID, "alice:2").await.unwrap();
    fake.advance(std::time::Duration::from_secs(301));
    multi_end.verify(APPID, "alice:3").await.unwrap();
    assert_eq!(fake.requests_to("/cgi-bin/token"), 3);
}

#[tokio::test]
async fn an_app_is_known_by_the_appid_of_its_sessions() {
    let (_fake, multi_end) = start().await;
    let user = multi_end.verify("donut:donut1", "alice:1").await.unwrap();
    assert_eq!(user.login_type, "weixinMiniProgram");
}
