mod node;
mod request;

use http::Method;

use self::node::Node;
use self::request::OauthToken;
use super::answer::Answer;
use super::dialect::Dialect;
use super::received::Received;
use super::world::{Exchange, World};
use crate::platform::alipay::PrivateKey;

const MIME: &str = "text/html;charset=utf-8";

/// Alipay's words. The secret of an app is its private key, of which the fake makes the public one.
#[derive(Debug)]
pub struct Alipay {
    key: PrivateKey,
}

impl Alipay {
    /// The public half of the key that answers are signed with, as one line.
    pub(super) fn public_key(&self) -> String {
        self.key.public_key()
    }

    fn oauth_token(&self, request: &OauthToken, world: &mut World) -> Answer {
        if let Some(refused) = request.lacks() {
            return Answer::ok(MIME, Node::error(refused, request).signed_by(&self.key));
        }
        let known = world.secret_of(request.appid()).map(str::to_owned);
        let outcome = world.exchange(Exchange {
            appid: request.appid(),
            secret: request.secret(known.as_deref()),
            code: request.code(),
        });
        Answer::to_exchange(outcome, MIME, |user, number| {
            let node = match user {
                Ok(user) => Node::success(&user, number),
                Err(refused) => Node::error(refused, request),
            };
            node.signed_by(&self.key)
        })
    }
}

impl Default for Alipay {
    fn default() -> Self {
        let key = PrivateKey::parse(include_str!("alipay.key"));
        Self {
            key: key.expect("the fake's key is one"),
        }
    }
}

impl Dialect for Alipay {
    const APPID: &'static str = "2021fa4e00000001";
    const SECRET: &'static str = include_str!("app.key");

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        let is_call = request.is(&Method::POST, "/gateway.do");
        is_call.then(|| self.oauth_token(&OauthToken::new(request), world))
    }
}
