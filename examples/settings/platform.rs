//! Where an example server logs users in.

use std::sync::Arc;

use tower_wx_session::test_util::FakeWeChat;
use tower_wx_session::wechat::WeChat;

/// A WeChat, and the fake behind it if it is not the real one. The fake ends when it is dropped,
/// so this is kept until the server has.
pub struct Platform {
    pub wechat: WeChat,
    pub fake: Option<Arc<FakeWeChat>>,
}

impl Platform {
    /// The configured WeChat; for none, a fake in this process.
    pub async fn start(configured: Option<WeChat>) -> Result<Self, String> {
        match configured {
            Some(wechat) => Ok(Self { wechat, fake: None }),
            None => Self::fake().await,
        }
    }

    async fn fake() -> Result<Self, String> {
        let fake = FakeWeChat::start().await;
        let fake = fake.map_err(|error| format!("cannot start the fake WeChat: {error}"))?;
        let wechat = WeChat::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
        Ok(Self {
            wechat: wechat.map_err(|error| error.to_string())?,
            fake: Some(Arc::new(fake)),
        })
    }
}
