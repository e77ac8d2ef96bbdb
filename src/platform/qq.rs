use super::api::{App, Failure, User};
use super::code2session;
use super::provider::provider;
use super::site::Site;

provider! {
    /// QQ, as the provider of identities for its mini programs and mini games.
    ///
    /// The client calls `qq.login` and sends the `code`. It is exchanged by `GET /sns/jscode2session`, as at
    /// WeChat, and lives for 5 minutes. The user has an openid, a session_key and, where the app is bound to an
    /// Open Platform account, a unionid. Source: the page
    /// [code2Session](https://q.qq.com/wiki/develop/miniprogram/server/open_port/port_login.html).
    ///
    /// QQ documents few of its codes; -1009, seen for wrong parameters, is not among them.
    /// [`with_error_kind`](Self::with_error_kind) says what such a code means to you.
    ///
    /// ```
    /// use tower_wx_session::login::{ExchangeErrorKind, IdentityProvider};
    /// use tower_wx_session::platform::Qq;
    ///
    /// let qq = Qq::new("1108", "secret").with_error_kind("-1009", ExchangeErrorKind::CodeRejected);
    /// assert_eq!(qq.resolve(None), Some("1108"));
    /// ```
    Qq at "https://api.q.qq.com", by exchange
}

async fn exchange(site: &Site, app: &App, code: &str) -> Result<User, Failure> {
    let reply = site.api.send(&code2session::call(app, code)).await?;
    reply.read_fields(code2session::parse)
}
