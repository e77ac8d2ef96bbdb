//! What the endpoint of access tokens refuses, and what apps that are set up wrong get.

use std::error::Error;
use std::time::Duration;

use tower_wx_session::test_util::Fault;
use tower_wx_session::wechat::ApiErrorKind::{self, *};
use tower_wx_session::wechat::WeChat;

use super::wechat::Site;

#[tokio::test]
async fn every_errcode_of_the_token_endpoint_has_its_kind() {
    let site = Site::start().await;
    let table: &[(ApiErrorKind, &[i64])] = &[
        (Unavailable, &[-1]),
        (RateLimited(Duration::from_secs(60)), &[45011]),
        (RateLimited(Duration::from_secs(3600)), &[45009]),
        (
            Misconfigured,
            &[
                40001, 40002, 40013, 40125, 40164, 40243, 41002, 41004, 43002, 50004, 50007, 89503,
                89506, 89507,
            ],
        ),
    ];
    for (kind, errcodes) in table {
        for &errcode in *errcodes {
            site.fake.fail_access_tokens(Some(Fault::Errcode(errcode)));
            let error = site
                .wechat
                .access_token(site.fake.appid())
                .await
                .unwrap_err();
            assert_eq!(error.kind(), *kind, "{errcode}");
            let cause = error.source().unwrap().to_string();
            assert!(
                cause.starts_with(&format!("errcode {errcode}: ")),
                "{cause}"
            );
            assert!(cause.contains("rid: "), "{cause}");
        }
    }
}

#[tokio::test]
async fn what_is_set_up_wrong_is_named() {
    let site = Site::start().await;
    for (errcode, text) in [
        (
            40164,
            "our address is not in the app's list of IP addresses",
        ),
        (40243, "the AppSecret is frozen"),
        (48001, "the app does not have this API"),
        (89503, "the app's administrator has to confirm our address"),
    ] {
        site.fake.fail_access_tokens(Some(Fault::Errcode(errcode)));
        let error = site
            .wechat
            .access_token(site.fake.appid())
            .await
            .unwrap_err();
        let cause = error.source().unwrap().to_string();
        assert!(cause.ends_with(&format!(" ({text})")), "{cause}");
    }
    site.fake.fail_access_tokens(None);
    for (secret, text) in [("wrong", "errcode 40125: "), ("", "errcode 41004: ")] {
        let wechat = WeChat::new(site.fake.appid(), secret);
        let wechat = wechat.with_base_url(site.fake.base_url()).unwrap();
        let error = wechat.access_token(site.fake.appid()).await.unwrap_err();
        assert_eq!(error.kind(), Misconfigured);
        assert!(error.source().unwrap().to_string().starts_with(text));
    }
    let error = site.wechat.access_token("wxother").await.unwrap_err();
    assert_eq!(error.kind(), BadRequest);
    assert_eq!(
        error.source().unwrap().to_string(),
        "no such app is configured"
    );
}
