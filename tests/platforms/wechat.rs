//! A fake WeChat, and ours on a clock that the test moves.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tower_wx_session::login::{IdentityProvider, LoginRequest};
use tower_wx_session::test_util::{FakeWeChat, ManualClock};
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{Identity, SessionKey};

pub const STABLE_TOKEN: &str = "/cgi-bin/stable_token";
pub const CHECK: &str = "/wxa/checksession";

pub struct Site {
    pub fake: FakeWeChat,
    pub wechat: WeChat,
    pub clock: ManualClock,
}

impl Site {
    pub async fn start() -> Self {
        let fake = FakeWeChat::start().await.unwrap();
        let clock = ManualClock::new();
        let wechat = WeChat::new(fake.appid(), fake.secret())
            .with_base_url(fake.base_url())
            .unwrap()
            .clock(clock.clone());
        Self {
            fake,
            wechat,
            clock,
        }
    }

    pub fn advance(&self, time: Duration) {
        self.fake.advance(time);
        self.clock.advance(time);
    }

    pub async fn log_in(&self, code: &str) -> (Identity, SessionKey) {
        let login = LoginRequest::new(self.fake.appid(), code);
        let exchanged = self.wechat.exchange(login).await.unwrap();
        let key = exchanged.session_key().unwrap().clone();
        (exchanged.identity().clone(), key)
    }

    pub async fn token(&self) -> String {
        let token = self.wechat.access_token(self.fake.appid()).await;
        token.unwrap().expose().to_owned()
    }

    pub fn token_requests(&self) -> u64 {
        self.fake.requests_to(STABLE_TOKEN)
    }

    pub fn last_request(&self) -> Request<Bytes> {
        self.fake.received().pop().unwrap()
    }
}

/// A request in one line: what goes over the wire, but for the headers of every request.
pub fn wire(request: &Request<Bytes>) -> String {
    let mime = request.headers().get("content-type");
    let mime = mime.map_or("", |mime| mime.to_str().unwrap());
    let body = String::from_utf8_lossy(request.body());
    format!("{} {} {mime} {body}", request.method(), request.uri())
        .trim()
        .to_owned()
}
