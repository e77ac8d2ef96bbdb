use std::time::Duration;

use serde_json::json;

use super::api::{App, Call, Failure, Fields, Granted, User};
use super::provider::provider;
use super::site::Site;
use super::token_login::TokenLogin;
use super::verdict::Verdict;
use crate::login::ExchangeErrorKind::{self, *};

const ERRCODE: Verdict = Verdict {
    code: "errcode",
    message: "errmsg",
    good: 0,
    kind_of: classify,
};

/// What stands behind errcode 88, "authorization failed".
const SUB_CODE: Verdict = Verdict {
    code: "sub_code",
    message: "sub_msg",
    good: 0,
    kind_of: classify,
};

provider! {
    /// DingTalk, as the provider of identities for mini programs and H5 apps of an organization.
    ///
    /// An app is known by its App Key (Client ID), with the App Secret. The client calls `dd.getAuthCode`
    /// (`requestAuthCode`) and sends the auth code, which lives for 5 minutes. First the app's access token is
    /// fetched by `GET /gettoken` and kept, then the code is exchanged by `POST /topapi/v2/user/getuserinfo`. The
    /// user's openid is the `userid`, which is a user's within the organization, and there is a unionid across the
    /// apps of one developer; there is no session_key. Source: the page
    /// [obtain the userid of a user by using the log-free code](https://open.dingtalk.com/document/orgapp/obtain-the-userid-of-a-user-by-using-the-log-free).
    ///
    /// A token that the platform no longer takes (40001, 40014, 42001) is replaced once, and the code, which was
    /// not looked at, sent once more. So an exchange may take up to four requests, each within the
    /// [time-out](Self::with_timeout). Codes of DingTalk's login for web sites (`userAccessToken`) are of another kind.
    DingTalk at "https://oapi.dingtalk.com", by exchange
}

const LOGIN: TokenLogin = TokenLogin {
    grant: access_token,
    granted,
    login,
    user: parse,
    is_token_refused,
};

async fn exchange(site: &Site, app: &App, code: &str) -> Result<User, Failure> {
    LOGIN.exchange(site, app, code).await
}

fn access_token(app: &App) -> Call {
    Call::get("/gettoken").query(&[("appkey", &app.appid), ("appsecret", &app.secret)])
}

fn granted(fields: &Fields) -> Result<Granted, Failure> {
    succeeded(fields)?;
    Granted::read(fields, "access_token", "expires_in")
}

fn login(token: &str, code: &str) -> Call {
    Call::post("/topapi/v2/user/getuserinfo")
        .query(&[("access_token", token)])
        .json(&json!({ "code": code }))
}

fn parse(fields: &Fields) -> Result<User, Failure> {
    succeeded(fields)?;
    let result = fields.object("result");
    Ok(User::new(result.require("userid")?).with_unionid(result.text("unionid")))
}

fn succeeded(fields: &Fields) -> Result<(), Failure> {
    // A `sub_code` that is a word stands in the `errmsg`, too.
    if fields.code("errcode")? == 88 && fields.code("sub_code").is_ok() {
        SUB_CODE.check(fields)?;
    }
    ERRCODE.check(fields)
}

const fn classify(code: i64) -> ExchangeErrorKind {
    match code {
        40078 | 41007 => CodeRejected,
        -1 => Unavailable,
        90002 | 90005 | 90006 | 90018 | 90019 => RateLimited(Duration::from_secs(60)),
        // Among them 40089, 60011, 60020 and 88.
        _ => Misconfigured,
    }
}

fn is_token_refused(failure: &Failure) -> bool {
    matches!(failure.code(), Some("40001" | "40014" | "42001"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (ExchangeErrorKind, String) {
        let failure = parse(&Fields::parse(body.as_bytes()).unwrap()).unwrap_err();
        (failure.kind(), failure.to_string())
    }

    #[test]
    fn behind_88_stands_a_number_or_a_word() {
        for (body, kind, text) in [
            (
                r#"{"errcode":88,"sub_code":"60011","sub_msg":"m","errmsg":"e"}"#,
                Misconfigured,
                "sub_code 60011: m",
            ),
            (
                r#"{"errcode":88,"sub_code":"90018","sub_msg":"m","errmsg":"e"}"#,
                RateLimited(Duration::from_secs(60)),
                "sub_code 90018: m",
            ),
            (
                r#"{"errcode":88,"sub_code":"isv.permission","errmsg":"e"}"#,
                Misconfigured,
                "errcode 88: e",
            ),
            (
                r#"{"errcode":88,"errmsg":"e"}"#,
                Misconfigured,
                "errcode 88: e",
            ),
        ] {
            assert_eq!(refused(body), (kind, text.to_owned()), "{body}");
        }
    }
}
