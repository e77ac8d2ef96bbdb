use http::Method;

use super::answer::Answer;
use super::dialect::Dialect;
use super::outcome::{Refused, digest_hex};
use super::received::Received;
use super::world::{Exchange, World};

const MIME: &str = "application/json; charset=utf-8";

/// Douyin's words to mini apps.
#[derive(Debug, Default)]
pub struct Douyin;

/// Douyin's words to mini games: those of the mini app's first version.
#[derive(Debug, Default)]
pub struct DouyinMiniGame;

impl Dialect for Douyin {
    const APPID: &'static str = "ttfa4efa4e00000001";
    const SECRET: &'static str = "d0c5ec2e7fa4e5ec2e7fa4e5ec2e7fa4e01";

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        request
            .is(&Method::POST, "/api/apps/v2/jscode2session")
            .then(|| mini_app(request, world))
    }
}

impl Dialect for DouyinMiniGame {
    const APPID: &'static str = "ttfa4efa4e00000002";
    const SECRET: &'static str = "d0c5ec2e7fa4e5ec2e7fa4e5ec2e7fa4e02";

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        request
            .is(&Method::GET, "/mgplatform/api/apps/jscode2session")
            .then(|| mini_game(request, world))
    }
}

fn mini_app(request: &Received<'_>, world: &mut World) -> Answer {
    let body = request.json();
    let outcome = world.exchange(Exchange {
        appid: body.get("appid"),
        secret: body.get("secret"),
        code: body.get("code"),
    });
    Answer::to_exchange(outcome, MIME, |user, number| {
        let log_id = log_id(number);
        match user {
            Ok(user) => {
                let data = user.members("openid", "unionid");
                format!(
                    "{{\"err_no\":0,\"err_tips\":\"success\",\"log_id\":\"{log_id}\",\"data\":{{{data}}}}}"
                )
            }
            Err(refused) => {
                let (code, text) = (refused.written(err_no(refused)), text(err_no(refused)));
                format!("{{\"err_no\":{code},\"err_tips\":\"{text}\",\"log_id\":\"{log_id}\"}}")
            }
        }
    })
}

fn mini_game(request: &Received<'_>, world: &mut World) -> Answer {
    let query = request.query();
    let outcome = world.exchange(Exchange {
        appid: query.get("appid"),
        secret: query.get("secret"),
        code: query.get("code"),
    });
    Answer::to_exchange(outcome, MIME, |user, _| match user {
        Ok(user) => {
            let members = user.members("openid", "unionid");
            format!("{{\"error\":0,{members}}}")
        }
        Err(refused) => {
            let (code, text) = (refused.written(err_no(refused)), text(err_no(refused)));
            let error = if err_no(refused) == 40018 { 3 } else { 1 };
            format!(
                "{{\"errcode\":{code},\"errmsg\":\"{text}\",\"error\":{error},\"message\":\"{text}\"}}"
            )
        }
    })
}

pub(super) fn log_id(number: u64) -> String {
    digest_hex(&["log_id", &number.to_string()])[..33].to_uppercase()
}

/// It has no code for users who may not log in, nor for quotas.
const fn err_no(refused: Refused) -> i64 {
    match refused {
        Refused::Busy => -1,
        Refused::BadRequest | Refused::NoAppid | Refused::NoSecret | Refused::NoCode => 40014,
        Refused::UnknownApp => 40015,
        Refused::WrongSecret => 40017,
        Refused::Errcode(code) => code,
        _ => 40018,
    }
}

pub(super) const fn text(code: i64) -> &'static str {
    match code {
        -1 => "system error",
        40014 => "bad params",
        40015 => "bad appid",
        40017 => "bad secret",
        40018 => "bad code",
        40019 => "bad anonymous code",
        _ => "error",
    }
}
