//! Kuaishou's three ways to log in, at home and abroad.

use std::time::Duration;

use tower_wx_session::login::ExchangeErrorKind::{self, *};

use super::sister::Says;

const FIVE_MINUTES: Duration = Duration::from_secs(300);
const AT_HOME: (ExchangeErrorKind, &str) = (CodeRejected, "result 100200105: refused");
const ABROAD: (ExchangeErrorKind, &str) = (CodeRejected, "result 240001: refused");

const SAYS: Says = Says {
    has_session_key: true,
    has_unionid: true,
    lifetime: FIVE_MINUTES,
    used: AT_HOME.1,
    faults: [
        (Unavailable, "result 100200500: "),
        AT_HOME,
        AT_HOME,
        AT_HOME,
    ],
};

mod mini_app {
    use tower_wx_session::platform::Kuaishou;
    use tower_wx_session::test_util::FakeKuaishou;

    use super::super::sister::{holds_for, request_of};

    holds_for!(FakeKuaishou, Kuaishou, Kuaishou::new, super::SAYS);

    #[tokio::test]
    async fn the_request_is_the_documented_one() {
        assert_eq!(
            request_of::<FakeKuaishou, Kuaishou>().await,
            "POST /oauth2/mp/code2session\n\
             content-type: application/x-www-form-urlencoded\n\n\
             app_id=appcanary&app_secret=cAnArYsEcReT0123456789abcdef0123&\
             js_code=alice%3Acanary-code-0123456789",
        );
    }
}

mod mini_game {
    use tower_wx_session::platform::KuaishouMiniGame;
    use tower_wx_session::test_util::FakeKuaishouMiniGame;

    use super::super::sister::{holds_for, request_of};

    holds_for!(
        FakeKuaishouMiniGame,
        KuaishouMiniGame,
        KuaishouMiniGame::new,
        super::SAYS
    );

    #[tokio::test]
    async fn the_request_is_the_documented_one() {
        assert_eq!(
            request_of::<FakeKuaishouMiniGame, KuaishouMiniGame>().await,
            "GET /game/minigame/jscode2session?app_id=appcanary&\
             app_secret=cAnArYsEcReT0123456789abcdef0123&grant_type=authorization_code&\
             js_code=alice%3Acanary-code-0123456789",
        );
    }
}

mod game {
    use tower_wx_session::platform::KwaiGame;
    use tower_wx_session::test_util::FakeKwaiGame;

    use super::super::sister::{Says, holds_for, request_of};

    const SAYS: Says = Says {
        used: super::ABROAD.1,
        faults: [super::ABROAD; 4],
        ..super::SAYS
    };

    holds_for!(FakeKwaiGame, KwaiGame, KwaiGame::new, SAYS);

    #[tokio::test]
    async fn the_request_is_the_documented_one() {
        assert_eq!(
            request_of::<FakeKwaiGame, KwaiGame>().await,
            "POST /openapi/login/code2session?app_id=appcanary&\
             app_secret=cAnArYsEcReT0123456789abcdef0123&code=alice%3Acanary-code-0123456789\n\
             content-type: application/x-www-form-urlencoded",
        );
    }
}
