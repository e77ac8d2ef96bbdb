use serde_json::json;

use super::errcode::classify;
use crate::platform::api::{App, Call, Failure, Fields, User};
use crate::platform::provider::provider;
use crate::platform::site::Site;
use crate::platform::verdict::Verdict;

const ERR_NO: Verdict = Verdict {
    code: "err_no",
    message: "err_tips",
    good: 0,
    kind_of: classify,
};

provider! {
    /// Douyin, as the provider of identities for its mini apps.
    ///
    /// The client calls `tt.login` and sends the `code`. It is exchanged by `POST /api/apps/v2/jscode2session`,
    /// once. The user has an openid, a session_key, and a unionid across the apps of one developer; Douyin
    /// may take an app down whose session_key gets out. Source: the page
    /// [code2Session](https://developer.open-douyin.com/docs/resource/zh-CN/mini-app/develop/server/log-in/code-2-session).
    ///
    /// For an API that wants the user's state signed, [`SessionKey::sign`](crate::SessionKey::sign) signs the body as
    /// it is sent.
    ///
    /// Users who are not logged in to Douyin (`anonymousCode`) are not served: they have no openid.
    Douyin at "https://developer.toutiao.com", by exchange
}

async fn exchange(site: &Site, app: &App, code: &str) -> Result<User, Failure> {
    let call = Call::post("/api/apps/v2/jscode2session").json(&json!({
        "appid": *app.appid,
        "secret": *app.secret,
        "code": code,
    }));
    site.api.send(&call).await?.read_fields(parse)
}

fn parse(fields: &Fields) -> Result<User, Failure> {
    ERR_NO.check(fields)?;
    User::read(&fields.object("data"), "openid", "unionid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_key_that_err_tips_repeats_is_masked() {
        let fields = Fields::parse(
            br#"{"err_no":1,"err_tips":"key tiihtNczf5v6AKRyjwEUhQ==",
                "data":{"session_key":"tiihtNczf5v6AKRyjwEUhQ==","openid":"o1"}}"#,
        );
        let failure = parse(&fields.unwrap()).unwrap_err();
        assert_eq!(
            failure.to_string(),
            format!("err_no 1: key {}", "*".repeat(24))
        );
    }
}
