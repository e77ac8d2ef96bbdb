//! DingTalk, which wants a token of the app first and has no session_key.

use std::time::Duration;

use tower_wx_session::login::ExchangeErrorKind::{self, *};
use tower_wx_session::platform::DingTalk;
use tower_wx_session::test_util::{FakeDingTalk, Fault};

use super::sister::{CODE, Says, asked, exchange, failure, holds_for, start};

const BAD_CODE: (ExchangeErrorKind, &str) = (CodeRejected, "errcode 40078: 不存在的临时授权码");

holds_for!(
    FakeDingTalk,
    DingTalk,
    DingTalk::new,
    Says {
        has_session_key: false,
        has_unionid: true,
        lifetime: Duration::from_secs(300),
        used: BAD_CODE.1,
        faults: [
            (Unavailable, "errcode -1: 系统繁忙"),
            BAD_CODE,
            (RateLimited(Duration::from_secs(60)), "errcode 90005: "),
            (RateLimited(Duration::from_secs(60)), "errcode 90002: "),
        ],
    }
);

fn paths(fake: &FakeDingTalk) -> Vec<String> {
    let received = fake.received();
    received
        .iter()
        .map(|request| request.uri().path().to_owned())
        .collect()
}

#[tokio::test]
async fn the_requests_are_the_documented_ones() {
    let (fake, dingtalk) = start::<FakeDingTalk, DingTalk>().await;
    exchange(&dingtalk, CODE).await.unwrap();
    let [token, login] = &fake.received()[..] else {
        panic!("{:?}", paths(&fake));
    };
    assert_eq!(
        asked(token),
        "GET /gettoken?appkey=appcanary&appsecret=cAnArYsEcReT0123456789abcdef0123",
    );
    let query = login.uri().query().unwrap();
    assert!(
        query.starts_with("access_token=t-") && !query.contains('&'),
        "{query}"
    );
    assert_eq!(
        asked(login),
        format!(
            "POST /topapi/v2/user/getuserinfo?{query}\n\
             content-type: application/json\n\n\
             {{\"code\":\"{CODE}\"}}"
        ),
    );
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let (fake, dingtalk) = start::<FakeDingTalk, DingTalk>().await;
    exchange(&dingtalk, "alice:1").await.unwrap();
    fake.advance(Duration::from_secs(7200));
    exchange(&dingtalk, "alice:2").await.unwrap();
    let (token, login) = ("/gettoken", "/topapi/v2/user/getuserinfo");
    assert_eq!(paths(&fake), [token, login, login, token, login]);
    assert_eq!(fake.exchanges_of("alice:2"), 1);

    fake.fail_all(Some(Fault::Errcode(42001)));
    assert_eq!(
        failure(exchange(&dingtalk, CODE).await, CODE).0,
        Misconfigured
    );
    assert_eq!(fake.received().len(), 5 + 2);
}
