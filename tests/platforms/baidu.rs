//! Baidu, whose errors are words.

use std::time::Duration;

use tower_wx_session::login::ExchangeErrorKind::*;
use tower_wx_session::platform::Baidu;
use tower_wx_session::test_util::FakeBaidu;

use super::sister::{CODE, Says, exchange, holds_for, request_of, start};

const BAD_CODE: &str = "error invalid_grant: Invalid authorization code";

holds_for!(
    FakeBaidu,
    Baidu,
    Baidu::new,
    Says {
        has_session_key: true,
        has_unionid: false,
        lifetime: Duration::from_secs(600),
        used: BAD_CODE,
        faults: [(CodeRejected, BAD_CODE); 4],
    }
);

#[tokio::test]
async fn the_request_is_the_documented_one() {
    assert_eq!(
        request_of::<FakeBaidu, Baidu>().await,
        "POST /oauth/jscode2sessionkey\n\
         content-type: application/x-www-form-urlencoded\n\n\
         client_id=appcanary&code=alice%3Acanary-code-0123456789&sk=cAnArYsEcReT0123456789abcdef0123",
    );
}

#[cfg(feature = "crypto")]
#[tokio::test]
async fn its_open_data_is_encrypted_in_another_way() {
    use tower_wx_session::open_data::{OpenData, OpenDataErrorKind};
    let (_fake, baidu) = start::<FakeBaidu, Baidu>().await;
    let exchanged = exchange(&baidu, CODE).await.unwrap();
    let data = OpenData::new(exchanged.session_key().unwrap().clone(), "app");
    let block = "r7BXXKkLb8qrSNn05n0qiA==";
    let error = data.decrypt::<serde_json::Value>(block, block).unwrap_err();
    assert_eq!(error.kind(), OpenDataErrorKind::UnsupportedSessionKey);
}
