use std::time::Duration;

use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::api::{App, Call, Failure, Fields, Granted, User};
use super::provider::provider;
use super::site::Site;
use super::token_login::TokenLogin;
use super::verdict::Verdict;
use crate::login::ExchangeErrorKind::{self, *};

/// What the platform's documents fix for every request.
const MIME: &str = "application/json; charset=utf-8";

/// Lark for those who are not in China.
const INTERNATIONAL: &str = "https://open.larksuite.com";

const CODE: Verdict = Verdict {
    code: "code",
    message: "msg",
    good: 0,
    kind_of: classify,
};

provider! {
    /// Feishu, or Lark, as the provider of identities for gadgets (小程序) of an organization's own apps.
    ///
    /// The client calls `tt.login` and sends the `code`. First the app's `app_access_token` is fetched and kept,
    /// then the code is exchanged by `POST /open-apis/mina/v2/tokenLoginValidate`. The user has an openid
    /// (`open_id`) and a session_key, and no unionid: the answer's `union_id` is deprecated, and not the one of
    /// the platform's other APIs. Sources: the pages
    /// [code2session](https://open.feishu.cn/document/uYjL24iN/ukjM04SOyQjL5IDN) and
    /// [app_access_token](https://open.feishu.cn/document/ukTMukTMukTM/ukDNz4SO0MjL5QzM/auth-v3/auth/app_access_token_internal).
    ///
    /// A token that the platform no longer takes (10202, or 99991663 and 99991664 from its gateway) is replaced once,
    /// and the code, which was not looked at, sent once more. So an exchange may take up to four requests, each within the
    /// [time-out](Self::with_timeout). Store apps, whose token takes a ticket, are not served.
    Lark at "https://open.feishu.cn", by exchange
}

impl Lark {
    /// Sends to Lark's host outside China, `https://open.larksuite.com`, in place of Feishu's.
    ///
    /// ```
    /// use tower_wx_session::platform::Lark;
    ///
    /// let lark = Lark::new("cli_1", "secret").international();
    /// assert!(format!("{lark:?}").contains("https://open.larksuite.com/"));
    /// ```
    #[must_use]
    pub fn international(self) -> Self {
        let site = self.0.with_base_url(INTERNATIONAL);
        Self(site.expect("it is a base URL"))
    }
}

const LOGIN: TokenLogin = TokenLogin {
    grant: app_access_token,
    granted,
    login,
    user: parse,
    is_token_refused,
};

async fn exchange(site: &Site, app: &App, code: &str) -> Result<User, Failure> {
    LOGIN.exchange(site, app, code).await
}

fn app_access_token(app: &App) -> Call {
    post(
        "/open-apis/auth/v3/app_access_token/internal",
        &json!({ "app_id": *app.appid, "app_secret": *app.secret }),
    )
}

fn granted(fields: &Fields) -> Result<Granted, Failure> {
    CODE.check(fields)?;
    Granted::read(fields, "app_access_token", "expire")
}

fn login(token: &str, code: &str) -> Call {
    post(
        "/open-apis/mina/v2/tokenLoginValidate",
        &json!({ "code": code }),
    )
    .secret_header(AUTHORIZATION, &format!("Bearer {token}"))
}

fn post(path: &'static str, body: &Value) -> Call {
    Call::post(path).json(body).content_type(MIME)
}

fn parse(fields: &Fields) -> Result<User, Failure> {
    CODE.check(fields)?;
    let data = fields.object("data");
    Ok(User::new(data.require("open_id")?).with_session_key(data.text("session_key")))
}

const fn classify(code: i64) -> ExchangeErrorKind {
    match code {
        10213 => CodeRejected,
        10228 => UserBlocked,
        99991400 => RateLimited(Duration::from_secs(60)),
        // Among them 10202: there is no other token.
        _ => Misconfigured,
    }
}

/// 99991663 and 99991664 come from the gateway before the API.
fn is_token_refused(failure: &Failure) -> bool {
    matches!(failure.code(), Some("10202" | "99991663" | "99991664"))
}
