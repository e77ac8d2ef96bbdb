use http::Method;

use super::answer::Answer;
use super::dialect::Dialect;
use super::outcome::{Refused, User};
use super::received::Received;
use super::tokens::Tokens;
use super::world::{Exchange, World};

const MIME: &str = "application/json;charset=utf-8";

/// DingTalk's words.
#[derive(Debug, Default)]
pub struct DingTalk(Tokens);

impl Dialect for DingTalk {
    const APPID: &'static str = "dingfa4efa4e00000001";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7-fa4e5ec2e7fa4e5ec2e7fa4e_d1";

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        if request.is(&Method::GET, "/gettoken") {
            return Some(self.access_token(request, world));
        }
        request
            .is(&Method::POST, "/topapi/v2/user/getuserinfo")
            .then(|| self.login(request, world))
    }
}

impl DingTalk {
    fn access_token(&mut self, request: &Received<'_>, world: &World) -> Answer {
        let query = request.query();
        let (appid, secret) = (query.get("appkey"), query.get("appsecret"));
        if appid.is_empty() || world.secret_of(appid) != Some(secret) {
            return Answer::ok(MIME, error(40089));
        }
        let (token, lifetime) = self.0.give(appid, world.now());
        Answer::ok(
            MIME,
            format!(
                "{{\"errcode\":0,\"access_token\":\"{token}\",\"errmsg\":\"ok\",\"expires_in\":{lifetime}}}"
            ),
        )
    }

    fn login(&self, request: &Received<'_>, world: &mut World) -> Answer {
        let token = request.query();
        let appid = self.0.app_of(token.get("access_token"), world.now());
        let Some(appid) = appid else {
            return Answer::ok(MIME, BAD_TOKEN.to_owned());
        };
        let secret = world.secret_of(&appid).unwrap_or_default().to_owned();
        let outcome = world.exchange(Exchange {
            appid: &appid,
            secret: &secret,
            code: request.json().get("code"),
        });
        Answer::to_exchange(outcome, MIME, |user, number| match user {
            Ok(user) => success(&user, number),
            Err(refused) => {
                let code = errcode(refused);
                error_written(code, &refused.written(code))
            }
        })
    }
}

const BAD_TOKEN: &str = "{\"errcode\":88,\"sub_code\":\"40014\",\"sub_msg\":\"不合法的access_token\",\
    \"errmsg\":\"ding talk error[subcode=40014,submsg=不合法的access_token]\",\"request_id\":\"5imjny7u9xwa\"}";

fn success(user: &User, number: u64) -> String {
    let unionid = match &user.unionid {
        Some(id) => format!("\"unionid\":\"{id}\","),
        None => String::new(),
    };
    let openid = &user.openid;
    format!(
        "{{\"errcode\":0,\"errmsg\":\"ok\",\"result\":{{\"device_id\":\"fa4e\",\"sys\":false,\
         \"sys_level\":0,{unionid}\"userid\":\"{openid}\"}},\"request_id\":\"fa4e{number}\"}}"
    )
}

/// It has no code for users who may not log in.
const fn errcode(refused: Refused) -> i64 {
    match refused {
        Refused::Busy => -1,
        Refused::Limited => 90005,
        Refused::Quota => 90002,
        Refused::Errcode(code) => code,
        _ => 40078,
    }
}

fn error(code: i64) -> String {
    error_written(code, &code.to_string())
}

fn error_written(code: i64, written: &str) -> String {
    let text = match code {
        -1 => "系统繁忙",
        40078 => "不存在的临时授权码",
        40089 => "不合法的corpid或corpsecret",
        90002 | 90005 => "请求被暂时禁用了",
        _ => "error",
    };
    format!("{{\"errcode\":{written},\"errmsg\":\"{text}\"}}")
}
