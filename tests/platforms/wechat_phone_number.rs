//! The phone number by its code.

use std::time::Duration;

use tower_wx_session::test_util::Fault;
use tower_wx_session::wechat::ApiErrorKind::{self, *};

use super::wechat::{STABLE_TOKEN, Site, wire};

const PATH: &str = "/wxa/business/getuserphonenumber";

#[tokio::test]
async fn the_requests_are_as_documented() {
    let site = Site::start().await;
    let (user, _) = site.log_in("alice:1").await;
    let token = site.token().await;
    site.wechat
        .phone_number(user.appid(), "alice:2")
        .await
        .unwrap();
    let head = format!("POST {PATH}?access_token={token} application/json");
    assert_eq!(
        wire(&site.last_request()),
        format!(r#"{head} {{"code":"alice:2"}}"#)
    );

    site.wechat.phone_number_of(&user, "alice:3").await.unwrap();
    let body = format!(r#"{{"code":"alice:3","openid":"{}"}}"#, user.openid());
    assert_eq!(wire(&site.last_request()), format!("{head} {body}"));
}

#[tokio::test]
async fn a_code_gives_the_number_once() {
    let site = Site::start().await;
    let appid = site.fake.appid();
    let phone = site.wechat.phone_number(appid, "alice:1").await.unwrap();
    assert_eq!((phone.phone_number.len(), &*phone.country_code), (11, "86"));
    assert_eq!(phone.pure_phone_number, phone.phone_number);
    assert_eq!(phone.watermark.appid, appid);
    assert!(!format!("{phone:?}").contains(&phone.phone_number));

    let again = site.wechat.phone_number(appid, "alice:1").await;
    assert_eq!(again.unwrap_err().kind(), CodeRejected);
    assert_eq!(site.fake.requests_to(PATH), 2);
}

#[tokio::test]
async fn every_errcode_and_fault_has_its_kind_and_is_met_once() {
    let site = Site::start().await;
    site.token().await;
    let hasty = site.wechat.clone().with_timeout(Duration::from_millis(200));
    hasty.access_token(site.fake.appid()).await.unwrap();
    let table: &[(ApiErrorKind, &[&str])] = &[
        (
            CodeRejected,
            &["errcode-40029:1", "errcode-40163:1", "string-errcode:1"],
        ),
        (RateLimited(Duration::from_secs(60)), &["limited:1"]),
        (RateLimited(Duration::from_secs(3600)), &["quota:1"]),
        (UserBlocked, &["blocked:1"]),
        (
            Misconfigured,
            &["errcode-40013:1", "errcode-48001:1", "errcode-12345:1"],
        ),
        (
            Unavailable,
            &[
                "busy:1",
                "broken:1",
                "error5xx:1",
                "cut:1",
                "reset:1",
                "slow:1",
                "slowbody:1",
            ],
        ),
    ];
    for (kind, codes) in table {
        for code in *codes {
            let before = site.fake.requests_to(PATH);
            let wechat = if code.starts_with("slow") {
                &hasty
            } else {
                &site.wechat
            };
            let error = wechat
                .phone_number(site.fake.appid(), code)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), *kind, "{code}");
            assert_eq!(site.fake.requests_to(PATH), before + 1, "{code}");
        }
    }
}

#[tokio::test]
async fn a_refused_token_costs_no_code() {
    let site = Site::start().await;
    site.token().await;
    site.fake.expire_access_tokens();
    let phone = site.wechat.phone_number(site.fake.appid(), "alice:1").await;
    phone.unwrap();
    let paths: Vec<_> = site
        .fake
        .received()
        .iter()
        .map(|r| r.uri().path().to_owned())
        .collect();
    assert_eq!(paths, [STABLE_TOKEN, PATH, STABLE_TOKEN, PATH]);
}

#[tokio::test]
async fn a_token_that_is_refused_twice_ends_it() {
    let site = Site::start().await;
    site.token().await;
    for errcode in [40001, 40014, 42001] {
        site.fake.fail_all(Some(Fault::Errcode(errcode)));
        let before = site.fake.requests_to(PATH);
        site.advance(Duration::from_secs(30));
        let code = format!("alice:{errcode}");
        let error = site
            .wechat
            .phone_number(site.fake.appid(), &code)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.errcode()),
            (Unavailable, Some(errcode))
        );
        assert_eq!(site.fake.requests_to(PATH), before + 2);
    }
}
