use std::sync::Arc;
use std::time::Duration;

use super::keys::AlipayKeys;
use super::user_id::AlipayUserId;
use super::{answer, request};
use crate::config_error::ConfigError;
use crate::login::{
    CodePolicy, ExchangeError, ExchangeErrorKind, Exchanged, IdentityProvider, LoginRequest,
};
use crate::platform::api::{App, Failure, User};
use crate::platform::site::Site;

const OFFICIAL: &str = "https://openapi.alipay.com";

/// Alipay lets a code live for 3 minutes to 24 hours, "by the scene".
const CODE_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Alipay, as the provider of identities for one or more mini programs.
///
/// It exchanges the code of `my.getAuthCode` with the scope `auth_base`, by
/// `alipay.system.oauth.token` of the gateway's protocol v2. Requests and answers are signed with
/// RSA2. There is no session_key: Alipay encrypts what it sends with keys of its own. What it
/// promises:
///
/// 1. **A code is sent at most once**, and counts as spent for 24 hours: Alipay lets codes live for
///    3 minutes to 24 hours.
/// 2. **What is believed is what Alipay signed**: the text of the answer as it was sent, before
///    anything in it is read. An answer whose members come twice is refused.
/// 3. **An error that is not signed ends no code.** Anybody could have written it.
/// 4. The time of a request is Beijing's, whatever the zone of this process.
/// 5. An exchange ends within the time-out, connecting and the whole body (64 KiB at most) included.
/// 6. **No secret gets out.** An error holds Alipay's codes and its text, in which the login code and
///    tokens are masked: Alipay repeats the text that it verified, with the code in it. The
///    access_token and the refresh_token of an answer are dropped.
///
/// | Alipay's answer, by `sub_code` or else by `code` | [`ExchangeErrorKind`](crate::login::ExchangeErrorKind) |
/// |---|---|
/// | `isv.code-invalid`: wrong, used, too old | `CodeRejected` |
/// | `isp.…`, `aop.unknow-error`, 20000; time-out, connection error, unreadable answer, no `sign` | `Unavailable` |
/// | `isv.app-call-limited`, `isv.method-call-limited`, 40005 | `RateLimited` for 60 s: Alipay names no time |
/// | any other error unless [`with_error_kind`](Self::with_error_kind) says otherwise, such as `isv.invalid-app-id`, `isv.invalid-signature`, `isv.missing-…`, `isv.unmatched-app-id` (a code of another app), 20001, 40003, 40006 | `Misconfigured` |
/// | an error without a signature | `Misconfigured` if that is its row, `Unavailable` otherwise |
/// | a wrong `sign` | `Misconfigured`: the key is not Alipay's, or no longer |
///
/// No error of this method says that a user is blocked. For an app that it does not know, and where a
/// request lacks something, Alipay signs nothing.
///
/// Its `Debug` shows no key, and clones share their connections.
///
/// ```no_run
/// use tower_wx_session::platform::{Alipay, AlipayKeys};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let private = std::fs::read_to_string("app_private_key.txt")?;
/// let public = std::fs::read_to_string("alipay_public_key.txt")?;
/// let alipay = Alipay::new("2021000000000001", AlipayKeys::new(&private, &public)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Alipay {
    site: Site<AlipayKeys>,
    user_id: Option<AlipayUserId>,
}

impl Alipay {
    /// Alipay for one app, with its keys.
    ///
    /// It touches neither the network nor a runtime. Should the HTTP client not come about (a
    /// system without root certificates), every exchange is
    /// [`Misconfigured`](crate::login::ExchangeErrorKind::Misconfigured) and names the cause.
    pub fn new(appid: impl Into<Arc<str>>, keys: AlipayKeys) -> Self {
        Self {
            site: Site::new(OFFICIAL, appid.into(), keys),
            user_id: None,
        }
    }

    /// Adds an app; the client then has to name the one it logs in to.
    ///
    /// An appid that is there already gets the new keys.
    #[must_use]
    pub fn with_app(self, appid: impl Into<Arc<str>>, keys: AlipayKeys) -> Self {
        Self {
            site: self.site.with_app(appid.into(), keys),
            ..self
        }
    }

    /// Names users by this, and fails as `Misconfigured` where Alipay does not send it.
    ///
    /// Without it users are named by their `user_id` where it comes, and by their `open_id` otherwise:
    /// apps that get both began with the former, and have their users stored under it. Set it before you
    /// change at Alipay what your app gets, or every user comes back as a new one. Changing this has the
    /// same effect.
    #[must_use]
    pub fn with_user_id(self, id: AlipayUserId) -> Self {
        Self {
            user_id: Some(id),
            ..self
        }
    }

    /// Replaces `https://openapi.alipay.com`, by a gateway of yours, the sandbox or a fake.
    ///
    /// The sandbox is `https://openapi-sandbox.dl.alipaydev.com`, with an app and keys of its own. The
    /// path `/gateway.do` may stand at the end, as in Alipay's own SDKs.
    ///
    /// # Errors
    ///
    /// If it is no `http` or `https` URL, or has a query, a fragment or credentials.
    pub fn with_base_url(self, url: &str) -> Result<Self, ConfigError> {
        let url = url.trim_end_matches('/');
        let url = url.strip_suffix(request::PATH).unwrap_or(url);
        Ok(Self {
            site: self.site.with_base_url(url)?,
            ..self
        })
    }

    /// Sets how long a request may take, connecting and the body included (default 3 s).
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self {
            site: self.site.with_timeout(timeout),
            ..self
        }
    }

    /// Sets what an error means that Alipay does not document, or that means something else to you.
    ///
    /// The code is the `sub_code`, such as `isv.code-invalid`, or the `code` of an error without one. An
    /// error that is not signed stays what it is.
    #[must_use]
    pub fn with_error_kind(self, code: impl Into<Arc<str>>, kind: ExchangeErrorKind) -> Self {
        Self {
            site: self.site.with_error_kind(code.into(), kind),
            ..self
        }
    }

    async fn oauth_token(
        &self,
        app: &App<AlipayKeys>,
        request: LoginRequest<'_>,
    ) -> Result<User, Failure> {
        let keys = &app.secret;
        let at = request.received_at();
        let call = request::oauth_token(&app.appid, keys, request.code(), at);
        let reply = self.site.api.send(&call).await?;
        reply.read(|body| answer::parse(body, keys.alipay(), self.user_id))
    }
}

impl IdentityProvider for Alipay {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        self.site.resolve(appid)
    }

    fn code_policy(&self, _: &str) -> CodePolicy {
        CodePolicy::one_time().with_lifetime(CODE_LIFETIME)
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        let app = self.site.app(&request)?;
        let user = self.oauth_token(app, request).await;
        // What signs never leaves, so that no error can hold it.
        self.site.conclude(app, &request, user, "")
    }
}
