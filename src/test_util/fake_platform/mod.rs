//! Platforms that run in the tests' own process, and answer as the real ones do.

#[cfg(feature = "alipay")]
mod alipay;
mod answer;
mod baidu;
mod body;
mod codes;
mod dialect;
mod dingtalk;
mod douyin;
mod douyin_service_provider;
mod fault;
mod kuaishou;
mod lark;
mod outcome;
mod qq;
mod received;
mod server;
mod tokens;
mod wechat;
mod world;

use std::sync::{Arc, MutexGuard};
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use http::Request;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::dialect::Dialect;
pub use self::fault::Fault;
use self::server::Shared;
use self::world::World;
use crate::sync::Lock;

/// A server on this machine that answers `code2Session` the way WeChat does.
///
/// Its answers are status 200 and `text/plain`. An errcode that a code names is `errcode-N:1`.
///
/// It has WeChat's server APIs, too: `stable_token`, `token`, `checksession`, `resetusersessionkey`,
/// `getuserencryptkey`, `getuserphonenumber` and `code2verifyinfo`. A code for the phone number, or of a
/// multi-end app, is `NAME:anything` as well, and good once in each place.
pub type FakeWeChat = FakePlatform<wechat::WeChat>;

/// A server on this machine that answers `alipay.system.oauth.token` the way Alipay does.
///
/// Its answers are status 200 and `text/html`, and signed but where Alipay signs nothing: for an app that it
/// does not know, and where a request lacks something. The secret of an app is its private key. A user has
/// an `open_id`. An error that Alipay has no code for is `isv.code-invalid`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_wx_session::login::{IdentityProvider, LoginRequest};
/// use tower_wx_session::platform::{Alipay, AlipayKeys};
/// use tower_wx_session::test_util::FakeAlipay;
///
/// let fake = FakeAlipay::start().await?;
/// let keys = AlipayKeys::new(fake.secret(), &fake.alipay_public_key())?;
/// let alipay = Alipay::new(fake.appid(), keys).with_base_url(fake.base_url())?;
/// let exchanged = alipay.exchange(LoginRequest::new(fake.appid(), "alice:1")).await?;
/// assert_eq!(exchanged.session_key(), None);
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "alipay")]
pub type FakeAlipay = FakePlatform<alipay::Alipay>;
/// A server on this machine that answers `code2Session` the way QQ does.
///
/// Its codes are WeChat's. All members are in each answer, empty where there is nothing.
pub type FakeQq = FakePlatform<qq::Qq>;

/// A server on this machine that answers mini apps the way Douyin does.
///
/// A bad or used code is 40018, `busy:1` is -1; for `blocked:1`, `limited:1` and `quota:1` Douyin has no answer.
pub type FakeDouyin = FakePlatform<douyin::Douyin>;

/// A server on this machine that answers mini games the way Douyin does.
///
/// A bad or used code is 40018, `busy:1` is -1; for `blocked:1`, `limited:1` and `quota:1` Douyin has no answer.
pub type FakeDouyinMiniGame = FakePlatform<douyin::DouyinMiniGame>;

/// A server on this machine that answers service providers the way Douyin does.
///
/// The [`secret`](FakePlatform::secret) of an app is its access token. A bad or used code is 40018, `busy:1` is
/// 28001005, `blocked:1` is 28001046, `limited:1` is 28003018, `quota:1` is 28003017.
pub type FakeDouyinServiceProvider = FakePlatform<douyin_service_provider::DouyinServiceProvider>;

/// A server on this machine that answers the way Baidu does.
///
/// A code is good for 10 minutes. A bad or used one is `invalid_grant`; for `busy:1`, `blocked:1`, `limited:1` and
/// `quota:1` Baidu has no answer. `errcode-N:1` is the errno N. Its session_keys have 192 bits.
pub type FakeBaidu = FakePlatform<baidu::Baidu>;

/// A server on this machine that answers mini programs the way Kuaishou does.
///
/// A bad or used code is 100200105, `busy:1` is 100200500; for `blocked:1`, `limited:1` and `quota:1` Kuaishou has no
/// answer.
pub type FakeKuaishou = FakePlatform<kuaishou::Kuaishou>;

/// A server on this machine that answers mini games the way Kuaishou does in China.
///
/// Its codes are those of [`FakeKuaishou`].
pub type FakeKuaishouMiniGame = FakePlatform<kuaishou::KuaishouMiniGame>;

/// A server on this machine that answers mini games the way Kwai does, Kuaishou abroad.
///
/// A bad or used code is 240001; for `busy:1`, `blocked:1`, `limited:1` and `quota:1` Kwai has no answer.
pub type FakeKwaiGame = FakePlatform<kuaishou::KwaiGame>;

/// A server on this machine that answers the way Lark does.
///
/// Its app_access_token is good for 2 hours of the fake's clock. A bad or used code is 10213, `blocked:1` is 10228,
/// `limited:1` and `quota:1` are 99991400 with status 429; for `busy:1` Lark has no answer. There are no unionids.
pub type FakeLark = FakePlatform<lark::Lark>;

/// A server on this machine that answers the way DingTalk does.
///
/// Its access token is good for 2 hours of the fake's clock. A bad or used code is 40078, `busy:1` is -1,
/// `limited:1` is 90005, `quota:1` is 90002; for `blocked:1` DingTalk has no answer.
pub type FakeDingTalk = FakePlatform<dingtalk::DingTalk>;

/// A server on this machine that answers the way a platform does: [`FakeWeChat`] and others.
///
/// It listens on a free port until it is dropped. The codes of this page are WeChat's; another platform
/// answers with its own where it has one, and as if the code was bad where it has none.
///
/// # Codes
///
/// A code is `NAME:anything` and logs in the user NAME: the same `openid` at every login to one
/// app, another `session_key` with every code. A code works once (then 40163) and for five minutes
/// (then 40029) of the fake's own clock, which [`advance`](Self::advance) moves. A free-form code
/// is born when it is first seen, one from [`code`](Self::code) when it is made. A code without a
/// NAME is 40029. It remembers the last 10 000 codes, so that it does not grow however long it runs.
///
/// # Faults
///
/// Some names are no users but faults, every time, so that they can be seen with `curl`, too:
///
/// | code | answer |
/// |---|---|
/// | `busy:1` | errcode -1 |
/// | `blocked:1` | errcode 40226 |
/// | `limited:1` | errcode 45011 |
/// | `quota:1` | errcode 45009 |
/// | `errcode-N:1` | errcode N |
/// | `string-errcode:1` | `"errcode":"40029"`, a string |
/// | `empty-openid:1` | no errcode, and an empty `openid` |
/// | `broken:1` | HTML with status 200 |
/// | `error5xx:1` | HTML with status 502 |
/// | `cut:1` | a body shorter than its `Content-Length` |
/// | `reset:1` | the connection is closed without an answer |
/// | `slow:1` | nothing for 10 s, then the answer |
/// | `slowbody:1` | half of the body, then nothing for 10 s, then as `cut` |
///
/// A test has the same by [`answer_next`](Self::answer_next) and
/// [`fail_all`](Self::fail_all).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tower_wx_session::test_util::FakeWeChat;
///
/// let fake = FakeWeChat::start().await?;
/// let url = format!(
///     "{}/sns/jscode2session?appid={}&secret={}&js_code=alice:1&grant_type=authorization_code",
///     fake.base_url(), fake.appid(), fake.secret(),
/// );
/// let first = reqwest::get(&url).await?.text().await?;
/// assert!(first.starts_with(r#"{"session_key":""#));
///
/// let second = reqwest::get(&url).await?.text().await?;
/// assert!(second.starts_with(r#"{"errcode":40163,"errmsg":"code been used, rid: "#));
/// assert_eq!(fake.exchanges_of("alice:1"), 2);
/// # Ok(())
/// # }
/// ```
pub struct FakePlatform<D> {
    base_url: String,
    platform: Shared<D>,
    server: JoinHandle<()>,
}

impl<D: Dialect> FakePlatform<D> {
    /// Starts one that knows the app [`appid`](Self::appid).
    ///
    /// # Errors
    ///
    /// If there is no port to listen on.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let world = World::new(D::APPID, D::SECRET, D::CODE_LIFETIME);
        let platform = Arc::new(Lock::from((D::default(), world)));
        let server = tokio::spawn(server::run(listener, Arc::clone(&platform)));
        Ok(Self {
            base_url,
            platform,
            server,
        })
    }

    /// Makes another app known.
    #[must_use]
    pub fn with_app(self, appid: &str, secret: &str) -> Self {
        self.lock().1.add_app(appid, secret);
        self
    }

    /// Gives every user a `unionid`, the same in all apps.
    #[must_use]
    pub fn with_unionids(self) -> Self {
        self.lock().1.give_unionids();
        self
    }

    /// What stands for the platform's own, such as `https://api.weixin.qq.com`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The app that is known from the start.
    #[must_use]
    pub fn appid(&self) -> &str {
        D::APPID
    }

    /// The secret of [`appid`](Self::appid).
    #[must_use]
    pub fn secret(&self) -> &str {
        D::SECRET
    }

    /// A fresh code of the user NAME, as from `wx.login`: its five minutes begin now.
    #[must_use]
    pub fn code(&self, name: &str) -> String {
        self.lock().1.issue_code(name)
    }

    /// Moves the fake's clock forward, at once.
    pub fn advance(&self, time: Duration) {
        self.lock().1.advance(time);
    }

    /// Answers the next exchange, or call of another API, with this fault; several are taken in order.
    ///
    /// The code of that exchange is spent, as it may be at the platform.
    pub fn answer_next(&self, fault: Fault) {
        self.lock().1.answer_next(fault);
    }

    /// Answers every exchange, and call of another API, with this fault, until it is called again;
    /// `None` ends it.
    pub fn fail_all(&self, fault: Option<Fault>) {
        self.lock().1.fail_all(fault);
    }

    /// How many exchanges have been requested, whatever the answer.
    #[must_use]
    pub fn exchanges(&self) -> u64 {
        self.lock().1.exchanges()
    }

    /// How many of them were for this code; more than one is a mistake of the caller.
    #[must_use]
    pub fn exchanges_of(&self, code: &str) -> u64 {
        self.lock().1.exchanges_of(code)
    }

    /// How many requests there were to a path of the platform's, whatever the answer.
    #[must_use]
    pub fn requests_to(&self, path: &str) -> u64 {
        self.lock().1.requests_to(path)
    }

    /// The last 100 requests as they came, the oldest first. They hold secrets, as real ones do.
    #[must_use]
    pub fn received(&self) -> Vec<Request<Bytes>> {
        self.lock().1.received()
    }

    fn lock(&self) -> MutexGuard<'_, (D, World)> {
        self.platform.lock()
    }
}

#[cfg(feature = "alipay")]
impl FakeAlipay {
    /// The public key with which answers are verified, as the one line that Alipay's console shows.
    #[must_use]
    pub fn alipay_public_key(&self) -> String {
        self.lock().0.public_key()
    }
}

impl<D> Drop for FakePlatform<D> {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl<D> fmt::Debug for FakePlatform<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakePlatform")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
