use http::Method;

use super::answer::Answer;
use super::dialect::Dialect;
use super::outcome::{Refused, User};
use super::received::Received;
use super::wechat::{self, errcode, errmsg};
use super::world::World;

const MIME: &str = "application/json; charset=utf-8";

/// QQ's words: WeChat's, but each answer has all members.
#[derive(Debug, Default)]
pub struct Qq;

impl Dialect for Qq {
    const APPID: &'static str = "1108fa4e01";
    const SECRET: &'static str = "5ec2e7fa4e5ec201";

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        let is_exchange = request.is(&Method::GET, "/sns/jscode2session");
        is_exchange.then(|| {
            let outcome = wechat::exchange(request, world);
            Answer::to_exchange(outcome, MIME, |user, _| body(user))
        })
    }
}

fn body(user: Result<User, Refused>) -> String {
    let (code, text, user) = match user {
        Ok(user) => ("0".to_owned(), "", user),
        Err(refused) => {
            let (code, nobody) = (errcode(refused), User::nobody());
            (refused.written(code), errmsg(code), nobody)
        }
    };
    let unionid = user.unionid.unwrap_or_default();
    let (openid, key) = (user.openid, user.session_key);
    format!(
        "{{\"errcode\":{code},\"errmsg\":\"{text}\",\"openid\":\"{openid}\",\
         \"session_key\":\"{key}\",\"unionid\":\"{unionid}\"}}"
    )
}
