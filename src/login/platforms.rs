use std::fmt;

use super::any_provider::AnyProvider;
use super::code_policy::CodePolicy;
use super::exchange_error::ExchangeError;
use super::provider::{Exchanged, IdentityProvider, LoginRequest};
use crate::config_error::ConfigError;
use crate::identity::split_appid;

/// Several platforms behind one [`Login`](super::Login), chosen by what the client names.
///
/// A client of the first one names no platform, and its users keep their plain appid, so sessions
/// from before stay good. A client of another one logs in with
/// `{"code":"…","platform":"qq"}`, with `"appid"` besides where that provider has several. Its users
/// have the platform before the appid, `qq:1109…`: openids are names within one platform, and so
/// users of different platforms never meet, whatever their appids and openids are: not in a list,
/// not in a cap, not in a session_key.
///
/// `qq:1109…`, or `qq` for the only app there, is also the name in the header `X-WX-Appid`, in
/// [`SessionsBuilder::appids`](crate::sessions::SessionsBuilder::appids), and in whatever else takes
/// an appid of a session. [`split`](Self::split) takes it apart. A name that is not known is a bad
/// request, and no code is spent.
///
/// ```
/// use tower_wx_session::login::{Credentials, Login, Platforms};
/// # use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
/// use tower_wx_session::{Identity, Sessions, store::MemoryStore};
/// # struct Provider(&'static str);
/// # impl IdentityProvider for Provider {
/// #     fn resolve<'a>(&'a self, named: Option<&'a str>) -> Option<&'a str> {
/// #         named.is_none_or(|named| named == self.0).then_some(self.0)
/// #     }
/// #     async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
/// #         Ok(Exchanged::new(Identity::new(login.appid(), "openid")))
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (wechat, qq) = (Provider("wx4f4bc4dec97d474b"), Provider("1109000000"));
///
/// let platforms = Platforms::new(wechat).with("qq", qq)?;
/// let login = Login::new(Sessions::new(MemoryStore::new()), platforms);
///
/// let of_wechat = login.log_in("a code").await?;
/// assert_eq!(of_wechat.session().appid(), "wx4f4bc4dec97d474b");
///
/// let of_qq = login.log_in(Credentials::new("a code").with_platform("qq")).await?;
/// assert_eq!(of_qq.session().appid(), "qq:1109000000");
/// assert_eq!(Platforms::split(of_qq.session().appid()), (Some("qq"), "1109000000"));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Platforms {
    first: Box<dyn AnyProvider>,
    others: Vec<Platform>,
}

struct Platform {
    name: String,
    provider: Box<dyn AnyProvider>,
    /// The app of a login that names none, with the platform before it.
    default_app: Option<String>,
}

impl Platforms {
    /// The platform of clients that name none. By itself, it is a provider without its type.
    ///
    /// Its appids must have no colon: what stands before one is taken for a platform's name.
    pub fn new(first: impl IdentityProvider) -> Self {
        Self {
            first: Box::new(first),
            others: Vec::new(),
        }
    }

    /// Adds a platform by a name of lower-case ASCII letters, digits and `-`.
    ///
    /// The provider is asked here, once, which app a login is for that names none. Asked for an app
    /// by its name, it has to answer with that name, or with that one app.
    ///
    /// # Errors
    ///
    /// The name is empty, has other characters, or was given before.
    pub fn with(
        mut self,
        name: impl Into<String>,
        provider: impl IdentityProvider,
    ) -> Result<Self, ConfigError> {
        let name = name.into();
        if name.is_empty() || !name.bytes().all(may_be_in_a_name) {
            let expected = "lower-case ASCII letters, digits and `-`";
            return Err(ConfigError::new("platform", expected, &name));
        }
        if self.platform(&name).is_some() {
            let expected = "a name that was not given before";
            return Err(ConfigError::new("platform", expected, &name));
        }
        self.others.push(Platform::new(name, Box::new(provider)));
        Ok(self)
    }

    /// The platform and the app in the appid of a session; no platform for users of the first one.
    #[must_use]
    pub fn split(appid: &str) -> (Option<&str>, &str) {
        split_appid(appid)
    }

    fn platform(&self, name: &str) -> Option<&Platform> {
        self.others.iter().find(|platform| platform.name == name)
    }

    /// An app of the first platform, unless its name is that of another one's.
    fn resolve_first<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        let resolved = self.first.resolve(appid);
        resolved.filter(|app| self.of(app).0.is_none())
    }

    /// The platform of a resolved app, and what the app is called there.
    fn of<'a>(&self, appid: &'a str) -> (Option<&Platform>, &'a str) {
        let (name, app) = Self::split(appid);
        match name.and_then(|name| self.platform(name)) {
            Some(platform) => (Some(platform), app),
            None => (None, appid),
        }
    }
}

impl Platform {
    fn new(name: String, provider: Box<dyn AnyProvider>) -> Self {
        let default_app = provider.resolve(None).map(|app| format!("{name}:{app}"));
        Self {
            name,
            provider,
            default_app,
        }
    }

    /// `named` is `app` with the platform before it.
    fn resolve<'a>(&'a self, named: &'a str, app: &'a str) -> Option<&'a str> {
        let resolved = self.provider.resolve(Some(app))?;
        if resolved == app {
            return Some(named);
        }
        let default_app = self.default_app.as_deref();
        default_app.filter(|default| Platforms::split(default).1 == resolved)
    }
}

impl IdentityProvider for Platforms {
    fn resolve<'a>(&'a self, appid: Option<&'a str>) -> Option<&'a str> {
        let Some(named) = appid else {
            return self.resolve_first(None);
        };
        match Self::split(named) {
            (Some(name), app) => self.platform(name)?.resolve(named, app),
            (None, name) => match self.platform(name) {
                Some(platform) => platform.default_app.as_deref(),
                None => self.resolve_first(appid),
            },
        }
    }

    fn code_policy(&self, appid: &str) -> CodePolicy {
        match self.of(appid) {
            (Some(platform), app) => platform.provider.code_policy(app),
            (None, app) => self.first.code_policy(app),
        }
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        match self.of(request.appid()) {
            (Some(platform), app) => {
                let exchanged = platform.provider.exchange(request.to(app)).await?;
                Ok(exchanged.at(&platform.name))
            }
            (None, _) => self.first.exchange(request).await,
        }
    }
}

const fn may_be_in_a_name(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')
}

impl fmt::Debug for Platforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.others.iter().map(|platform| &platform.name);
        f.debug_list().entry(&"").entries(names).finish()
    }
}
