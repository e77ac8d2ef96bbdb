//! Douyin's three ways to log in.

use std::time::Duration;

use tower_wx_session::login::ExchangeErrorKind;

const FIVE_MINUTES: Duration = Duration::from_secs(300);

mod mini_app {
    use tower_wx_session::login::ExchangeErrorKind::*;
    use tower_wx_session::platform::Douyin;
    use tower_wx_session::test_util::FakeDouyin;

    use super::super::sister::{Says, holds_for, request_of};

    const BAD_CODE: (super::ExchangeErrorKind, &str) = (CodeRejected, "err_no 40018: bad code");

    holds_for!(
        FakeDouyin,
        Douyin,
        Douyin::new,
        Says {
            has_session_key: true,
            has_unionid: true,
            lifetime: super::FIVE_MINUTES,
            used: BAD_CODE.1,
            faults: [(Unavailable, "err_no -1: "), BAD_CODE, BAD_CODE, BAD_CODE],
        }
    );

    #[tokio::test]
    async fn the_request_is_the_documented_one() {
        assert_eq!(
            request_of::<FakeDouyin, Douyin>().await,
            "POST /api/apps/v2/jscode2session\n\
             content-type: application/json\n\n\
             {\"appid\":\"appcanary\",\"code\":\"alice:canary-code-0123456789\",\
             \"secret\":\"cAnArYsEcReT0123456789abcdef0123\"}",
        );
    }
}

mod mini_game {
    use tower_wx_session::login::ExchangeErrorKind::*;
    use tower_wx_session::platform::DouyinMiniGame;
    use tower_wx_session::test_util::FakeDouyinMiniGame;

    use super::super::sister::{Says, holds_for, request_of};

    const BAD_CODE: (super::ExchangeErrorKind, &str) = (CodeRejected, "errcode 40018: bad code");

    holds_for!(
        FakeDouyinMiniGame,
        DouyinMiniGame,
        DouyinMiniGame::new,
        Says {
            has_session_key: true,
            has_unionid: true,
            lifetime: super::FIVE_MINUTES,
            used: BAD_CODE.1,
            faults: [(Unavailable, "errcode -1: "), BAD_CODE, BAD_CODE, BAD_CODE],
        }
    );

    #[tokio::test]
    async fn the_request_is_the_documented_one() {
        assert_eq!(
            request_of::<FakeDouyinMiniGame, DouyinMiniGame>().await,
            "GET /mgplatform/api/apps/jscode2session?appid=appcanary&\
             code=alice%3Acanary-code-0123456789&secret=cAnArYsEcReT0123456789abcdef0123\n\
             content-type: application/json",
        );
    }
}

mod service_provider {
    use std::io;
    use std::time::Duration;

    use tower_wx_session::login::ExchangeErrorKind::*;
    use tower_wx_session::platform::DouyinServiceProvider;
    use tower_wx_session::test_util::FakeDouyinServiceProvider;

    use super::super::sister::{self, Says, failure, holds_for, request_of};

    fn with_token(appid: &str, token: String) -> DouyinServiceProvider {
        DouyinServiceProvider::new(appid, move |_| {
            let token = token.clone();
            async move { Ok::<_, io::Error>(token) }
        })
    }

    holds_for!(
        FakeDouyinServiceProvider,
        DouyinServiceProvider,
        with_token,
        Says {
            has_session_key: true,
            has_unionid: true,
            lifetime: super::FIVE_MINUTES,
            used: "err_no 40018: bad code",
            faults: [
                (Unavailable, "err_no 28001005: "),
                (UserBlocked, "err_no 28001046: "),
                (RateLimited(Duration::from_secs(60)), "err_no 28003018: "),
                (RateLimited(Duration::from_secs(3600)), "err_no 28003017: "),
            ],
        }
    );

    #[tokio::test]
    async fn the_request_is_the_documented_one() {
        assert_eq!(
            request_of::<FakeDouyinServiceProvider, DouyinServiceProvider>().await,
            "POST /api/apps/v1/microapp/code2session/\n\
             access-token: cAnArYsEcReT0123456789abcdef0123\n\
             content-type: application/json\n\n\
             {\"app_id\":\"appcanary\",\"code\":\"alice:canary-code-0123456789\"}",
        );
    }

    #[tokio::test]
    async fn without_an_access_token_no_code_is_sent() {
        let fake = <FakeDouyinServiceProvider as sister::Fake>::start().await;
        let douyin = DouyinServiceProvider::new(sister::APPID, async |appid| {
            Err::<String, _>(format!("none for {appid}"))
        });
        let douyin = douyin.with_base_url(fake.base_url()).unwrap();
        let result = sister::exchange(&douyin, sister::CODE).await;
        let (kind, text) = failure(result, sister::CODE);
        assert_eq!(
            (kind, &*text),
            (Unavailable, "no access token: none for appcanary")
        );
        assert_eq!(fake.exchanges(), 0);
    }
}
