//! QQ, in the form of WeChat.

use std::time::Duration;

use tower_wx_session::login::ExchangeErrorKind::*;
use tower_wx_session::platform::Qq;
use tower_wx_session::test_util::FakeQq;

use super::sister::{Says, holds_for, request_of};

holds_for!(
    FakeQq,
    Qq,
    Qq::new,
    Says {
        has_session_key: true,
        has_unionid: true,
        lifetime: Duration::from_secs(300),
        used: "errcode 40",
        faults: [
            (Unavailable, "errcode -1: "),
            (UserBlocked, "errcode 40226: "),
            (RateLimited(Duration::from_secs(60)), "errcode 45011: "),
            (RateLimited(Duration::from_secs(3600)), "errcode 45009: "),
        ],
    }
);

#[tokio::test]
async fn the_request_is_the_documented_one() {
    assert_eq!(
        request_of::<FakeQq, Qq>().await,
        "GET /sns/jscode2session?appid=appcanary&grant_type=authorization_code&\
         js_code=alice%3Acanary-code-0123456789&secret=cAnArYsEcReT0123456789abcdef0123",
    );
}
