//! A login service, and how many codes it spends.

use axum::Router;
use http::Version;
use tower_wx_session::Sessions;
use tower_wx_session::login::Login;
use tower_wx_session::store::SessionStore;
use tower_wx_session::test_util::FakeWeChat;
use tower_wx_session::wechat::WeChat;

use super::http::{Answer, Server, client};

/// A login service over HTTP, with a fake WeChat that counts the codes.
pub struct Desk {
    fake: FakeWeChat,
    server: Server,
}

impl Desk {
    pub async fn of<S: SessionStore>(sessions: &Sessions<S>) -> Self {
        let fake = FakeWeChat::start().await.unwrap();
        let wechat = WeChat::new(fake.appid(), fake.secret());
        let wechat = wechat.with_base_url(fake.base_url()).unwrap();
        let login = Login::new(sessions.clone(), wechat);
        let server = Server::start(Router::new().route_service("/login", login)).await;
        Self { fake, server }
    }

    pub async fn log_in(&self, name: &str) -> Answer {
        let code = self.fake.code(name);
        let body = serde_json::json!({ "code": code }).to_string();
        let post = client(Version::HTTP_11).post(self.server.url("/login"));
        Answer::to(post.body(body)).await
    }

    /// Logins that are refused for now, and spend no code.
    pub async fn refuses(&self, logins: usize) {
        let spent = self.fake.exchanges();
        for number in 0..logins {
            let answer = self.log_in(&format!("refused{number}")).await;
            assert_eq!(answer.reason(), "store_unavailable");
            assert_eq!(answer.status, 503);
        }
        assert_eq!(self.fake.exchanges(), spent, "a code was spent");
    }
}
