//! Lark, which wants a token of the app first.

use std::time::Duration;

use tower_wx_session::login::ExchangeErrorKind::{self, *};
use tower_wx_session::platform::Lark;
use tower_wx_session::test_util::{FakeLark, Fault};

use super::sister::{APPID, CODE, SECRET, Says, asked, exchange, failure, holds_for, start};

const BAD_CODE: (ExchangeErrorKind, &str) = (CodeRejected, "code 10213: code appid not match");
const LIMITED: (ExchangeErrorKind, &str) = (
    RateLimited(Duration::from_secs(60)),
    "code 99991400: request trigger frequency limit",
);

holds_for!(
    FakeLark,
    Lark,
    Lark::new,
    Says {
        has_session_key: true,
        has_unionid: false,
        lifetime: Duration::from_secs(300),
        used: BAD_CODE.1,
        faults: [
            BAD_CODE,
            (UserBlocked, "code 10228: user to app has no visibility"),
            LIMITED,
            LIMITED,
        ],
    }
);

fn paths(fake: &FakeLark) -> Vec<String> {
    let received = fake.received();
    let path =
        |request: &http::Request<_>| request.uri().path().rsplit('/').next().unwrap().to_owned();
    received.iter().map(path).collect()
}

#[tokio::test]
async fn the_requests_are_the_documented_ones() {
    let (fake, lark) = start::<FakeLark, Lark>().await;
    exchange(&lark, CODE).await.unwrap();
    let [token, login] = &fake.received()[..] else {
        panic!("{:?}", paths(&fake));
    };
    assert_eq!(
        asked(token),
        format!(
            "POST /open-apis/auth/v3/app_access_token/internal\n\
             content-type: application/json; charset=utf-8\n\n\
             {{\"app_id\":\"{APPID}\",\"app_secret\":\"{SECRET}\"}}"
        ),
    );
    let bearer = login.headers()["authorization"].to_str().unwrap();
    assert!(bearer.starts_with("Bearer t-"), "{bearer}");
    assert_eq!(
        asked(login),
        format!(
            "POST /open-apis/mina/v2/tokenLoginValidate\n\
             authorization: {bearer}\n\
             content-type: application/json; charset=utf-8\n\n\
             {{\"code\":\"{CODE}\"}}"
        ),
    );
}

#[tokio::test]
async fn a_token_is_asked_for_once_by_all_who_log_in() {
    let (fake, lark) = start::<FakeLark, Lark>().await;
    let logins = (0..10).map(|login| {
        let lark = lark.clone();
        async move { exchange(&lark, &format!("alice:{login}")).await }
    });
    for result in futures_util::future::join_all(logins).await {
        result.unwrap();
    }
    assert_eq!(
        paths(&fake)
            .iter()
            .filter(|path| **path == "internal")
            .count(),
        1
    );
    assert_eq!(fake.exchanges(), 10);
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let (fake, lark) = start::<FakeLark, Lark>().await;
    exchange(&lark, "alice:1").await.unwrap();
    fake.advance(Duration::from_secs(7200));
    exchange(&lark, "alice:2").await.unwrap();
    let login = "tokenLoginValidate";
    assert_eq!(paths(&fake), ["internal", login, login, "internal", login]);
    assert_eq!(fake.exchanges_of("alice:2"), 1);

    fake.fail_all(Some(Fault::Errcode(10202)));
    let (kind, text) = failure(exchange(&lark, CODE).await, CODE);
    assert_eq!(kind, Misconfigured);
    assert!(text.starts_with("code 10202: "), "{text}");
    assert_eq!(fake.received().len(), 5 + 2);
}

#[tokio::test]
async fn an_app_that_gets_no_token_sends_no_code() {
    let (fake, _) = start::<FakeLark, Lark>().await;
    let lark = Lark::new(APPID, "cAnArYsEcReT0123-but-wrong").with_base_url(fake.base_url());
    let (kind, text) = failure(exchange(&lark.unwrap(), CODE).await, CODE);
    assert_eq!(
        (kind, &*text),
        (Misconfigured, "code 10014: app secret invalid")
    );
    assert_eq!(paths(&fake), ["internal"]);
}
