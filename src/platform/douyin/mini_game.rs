use super::errcode::classify;
use crate::login::ExchangeErrorKind;
use crate::platform::api::{App, Call, Failure, Fields, User};
use crate::platform::provider::provider;
use crate::platform::site::Site;
use crate::platform::verdict::Verdict;

const ERRCODE: Verdict = Verdict {
    code: "errcode",
    message: "errmsg",
    good: 0,
    kind_of: classify,
};

/// A number of its own beside the errcode, without a documented meaning.
const ERROR: Verdict = Verdict {
    code: "error",
    message: "message",
    good: 0,
    kind_of: |_| ExchangeErrorKind::Misconfigured,
};

provider! {
    /// Douyin, as the provider of identities for its mini games.
    ///
    /// The client calls `tt.login` and sends the `code`. It is exchanged by
    /// `GET /mgplatform/api/apps/jscode2session`, once. The user has an openid, a session_key, and a unionid
    /// where Douyin gives one. Source: the page
    /// [code2Session](https://developer.open-douyin.com/docs/resource/zh-CN/mini-game/develop/server/log-in/code-2-session)
    /// of mini games; its codes are those of the first version of the mini app's API.
    DouyinMiniGame at "https://minigame.zijieapi.com", by exchange
}

async fn exchange(site: &Site, app: &App, code: &str) -> Result<User, Failure> {
    let call = Call::get("/mgplatform/api/apps/jscode2session")
        .query(&[
            ("appid", &app.appid),
            ("secret", &app.secret),
            ("code", code),
        ])
        .content_type("application/json");
    site.api.send(&call).await?.read_fields(parse)
}

fn parse(fields: &Fields) -> Result<User, Failure> {
    ERRCODE.check(fields)?;
    ERROR.check(fields)?;
    User::read(fields, "openid", "unionid")
}
