use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use serde_json::json;

use super::access_token::AccessToken;
use crate::config_error::ConfigError;
use crate::login::ExchangeErrorKind::{self, *};
use crate::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
use crate::platform::api::{App, Call, Failure, Fields, User};
use crate::platform::site::Site;
use crate::platform::verdict::Verdict;

const ERR_NO: Verdict = Verdict {
    code: "err_no",
    message: "err_msg",
    good: 0,
    kind_of: classify,
};

/// Douyin, as the provider of identities for mini apps that a service provider runs for others.
///
/// The client calls `tt.login` and sends the `code`. It is exchanged by
/// `POST /api/apps/v1/microapp/code2session/`, once, with the access token by which the mini app has authorized
/// the service provider. The user has an openid, a session_key and a unionid. Source: the page
/// [code2sessionV2](https://developer.open-douyin.com/docs/resource/zh-CN/thirdparty/API/smallprogram/auth-app-manage/login/code2session-v2).
///
/// The access token lives for 2 hours and comes from tickets that Douyin pushes to the application, so the
/// application keeps it. The page says of codes that they are as the mini app's; it does not list its own
/// for a bad one, so 40018 and 40019 are taken, too. [`with_error_kind`](Self::with_error_kind) adds others.
///
/// Its `Debug` shows no token, and clones share their connections.
///
/// ```
/// use tower_wx_session::login::IdentityProvider;
/// use tower_wx_session::platform::DouyinServiceProvider;
///
/// # async fn load(_: &str) -> Result<String, std::io::Error> { Ok(String::new()) }
/// let douyin = DouyinServiceProvider::new("tt1", async |appid| load(&appid).await).with_app("tt2");
/// assert_eq!(douyin.resolve(Some("tt2")), Some("tt2"));
/// ```
#[derive(Clone, Debug)]
pub struct DouyinServiceProvider {
    site: Site,
    access_token: AccessToken,
}

impl DouyinServiceProvider {
    /// Douyin for one mini app, and where its access token is found.
    ///
    /// The function is called with the appid at each exchange, for the token that is good now. If
    /// it fails, the exchange is [`Unavailable`], and the error's text goes to the log: it must hold
    /// no secret. It has no time-out but that of the login.
    pub fn new<F, A, E>(appid: impl Into<Arc<str>>, access_token: F) -> Self
    where
        F: Fn(Arc<str>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self {
            site: Site::new("https://open.douyin.com", appid.into(), "".into()),
            access_token: AccessToken::new(access_token),
        }
    }

    /// Adds an app; the client then has to name the one it logs in to.
    #[must_use]
    pub fn with_app(self, appid: impl Into<Arc<str>>) -> Self {
        let site = self.site.with_app(appid.into(), "".into());
        Self { site, ..self }
    }

    /// Replaces the platform's host (`https://open.douyin.com`) by a gateway of yours or a fake.
    ///
    /// A path is kept, and a slash at the end makes no difference.
    ///
    /// # Errors
    ///
    /// If it is no `http` or `https` URL, or has a query, a fragment or credentials.
    pub fn with_base_url(self, url: &str) -> Result<Self, ConfigError> {
        let site = self.site.with_base_url(url)?;
        Ok(Self { site, ..self })
    }

    /// Sets how long a request may take, connecting and the body included (default 3 s).
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        let site = self.site.with_timeout(timeout);
        Self { site, ..self }
    }

    /// Sets what an error code means that Douyin does not document, or that means something else to you.
    ///
    /// The code is as the log has it, such as `28001005`.
    #[must_use]
    pub fn with_error_kind(self, code: impl Into<Arc<str>>, kind: ExchangeErrorKind) -> Self {
        let site = self.site.with_error_kind(code.into(), kind);
        Self { site, ..self }
    }

    async fn code2session(&self, app: &App, code: &str) -> Result<User, Failure> {
        let token = self.access_token.of(&app.appid).await?;
        let call = Call::post("/api/apps/v1/microapp/code2session/")
            .json(&json!({ "app_id": *app.appid, "code": code }))
            .secret_header(HeaderName::from_static("access-token"), &token);
        let reply = self.site.api.send(&call).await?;
        reply
            .read_fields(parse)
            .map_err(|failure| failure.masked(&[&token]))
    }
}

impl IdentityProvider for DouyinServiceProvider {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        self.site.resolve(appid)
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        let app = self.site.app(&request)?;
        let user = self.code2session(app, request.code()).await;
        self.site.conclude(app, &request, user, &app.secret)
    }
}

fn parse(fields: &Fields) -> Result<User, Failure> {
    ERR_NO.check(fields)?;
    User::read(&fields.object("data"), "open_id", "union_id")
}

/// The codes of the page, and those that Douyin's newer APIs have in common.
const fn classify(code: i64) -> ExchangeErrorKind {
    match code {
        28001005 | 28001006 | 28001052 => Unavailable,
        28001045 | 28001046 => UserBlocked,
        28003018 => RateLimited(Duration::from_secs(60)),
        28003017 => RateLimited(Duration::from_secs(3600)),
        // Among them 28001003 and 28001008: the access token is wrong or too old.
        code => super::errcode::classify(code),
    }
}
