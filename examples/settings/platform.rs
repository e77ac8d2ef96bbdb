//! Where an example server logs users in.

use std::any::Any;
use std::io;
use std::sync::Arc;

use tower_wx_session::login::{IdentityProvider, Platforms};
use tower_wx_session::platform::{
    Alipay, AlipayKeys, Baidu, ConfigError, DingTalk, Douyin, Kuaishou, Lark, Qq,
};
use tower_wx_session::test_util::{
    FakeAlipay, FakeBaidu, FakeDingTalk, FakeDouyin, FakeKuaishou, FakeLark, FakeQq, FakeTelegram,
    FakeVk, FakeWeChat,
};
use tower_wx_session::wechat::WeChat;

/// The platforms by their names.
pub const NAMES: [&str; 10] = [
    "wechat", "qq", "douyin", "baidu", "kuaishou", "alipay", "lark", "dingtalk", "telegram", "vk",
];

/// A platform, and the fake behind it if it is not the real one. The fake ends when it is dropped,
/// so this is kept until the server has.
pub struct Platform {
    /// The platform as `Login` takes it, whichever it is.
    pub login: Platforms,
    /// WeChat's other APIs, where that is the platform.
    pub wechat: Option<WeChat>,
    /// The fake WeChat, for the demo.
    pub fake_wechat: Option<Arc<FakeWeChat>>,
    /// Another fake that is kept.
    _fake: Option<Box<dyn Any + Send + Sync>>,
}

impl Platform {
    /// The real WeChat.
    pub fn real(wechat: WeChat) -> Self {
        Self {
            wechat: Some(wechat.clone()),
            ..Self::of(wechat)
        }
    }

    /// The fake of this platform, in this process.
    pub async fn fake(name: &str) -> Result<Self, String> {
        let started = match name {
            "qq" => qq().await,
            "douyin" => douyin().await,
            "baidu" => baidu().await,
            "kuaishou" => kuaishou().await,
            "alipay" => alipay().await,
            "lark" => lark().await,
            "dingtalk" => dingtalk().await,
            "telegram" => Ok(Self::of(FakeTelegram::new())),
            "vk" => Ok(Self::of(FakeVk::new())),
            _ => wechat().await,
        };
        started.map_err(|error| format!("cannot start the fake of {name}: {error}"))
    }

    fn of(provider: impl IdentityProvider) -> Self {
        Self {
            login: Platforms::new(provider),
            wechat: None,
            fake_wechat: None,
            _fake: None,
        }
    }

    fn with(
        provider: Result<impl IdentityProvider, ConfigError>,
        fake: impl Any + Send + Sync,
    ) -> io::Result<Self> {
        Ok(Self {
            _fake: Some(Box::new(fake)),
            ..Self::of(provider.map_err(io::Error::other)?)
        })
    }
}

async fn wechat() -> io::Result<Platform> {
    let fake = FakeWeChat::start().await?;
    let wechat = WeChat::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
    Ok(Platform {
        fake_wechat: Some(Arc::new(fake)),
        ..Platform::real(wechat.map_err(io::Error::other)?)
    })
}

async fn qq() -> io::Result<Platform> {
    let fake = FakeQq::start().await?;
    let qq = Qq::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
    Platform::with(qq, fake)
}

async fn douyin() -> io::Result<Platform> {
    let fake = FakeDouyin::start().await?;
    let douyin = Douyin::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
    Platform::with(douyin, fake)
}

async fn baidu() -> io::Result<Platform> {
    let fake = FakeBaidu::start().await?;
    let baidu = Baidu::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
    Platform::with(baidu, fake)
}

async fn kuaishou() -> io::Result<Platform> {
    let fake = FakeKuaishou::start().await?;
    let kuaishou = Kuaishou::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
    Platform::with(kuaishou, fake)
}

async fn alipay() -> io::Result<Platform> {
    let fake = FakeAlipay::start().await?;
    let keys = AlipayKeys::new(fake.secret(), &fake.alipay_public_key());
    let alipay =
        keys.and_then(|keys| Alipay::new(fake.appid(), keys).with_base_url(fake.base_url()));
    Platform::with(alipay, fake)
}

async fn lark() -> io::Result<Platform> {
    let fake = FakeLark::start().await?;
    let lark = Lark::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
    Platform::with(lark, fake)
}

async fn dingtalk() -> io::Result<Platform> {
    let fake = FakeDingTalk::start().await?;
    let dingtalk = DingTalk::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
    Platform::with(dingtalk, fake)
}
