use http::Method;

use super::answer::Answer;
use super::dialect::Dialect;
use super::douyin::{log_id, text};
use super::outcome::Refused;
use super::received::Received;
use super::world::{Exchange, World};

/// Douyin's words to service providers. The secret of an app stands for its access token.
#[derive(Debug, Default)]
pub struct DouyinServiceProvider;

impl Dialect for DouyinServiceProvider {
    const APPID: &'static str = "ttfa4efa4e00000003";
    const SECRET: &'static str = "act.5ec2e7fa4e5ec2e7fa4e5ec2e7fa4e03";

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        request
            .is(&Method::POST, "/api/apps/v1/microapp/code2session/")
            .then(|| code2session(request, world))
    }
}

fn code2session(request: &Received<'_>, world: &mut World) -> Answer {
    let body = request.json();
    let outcome = world.exchange(Exchange {
        appid: body.get("app_id"),
        secret: request.header("access-token"),
        code: body.get("code"),
    });
    Answer::to_exchange(
        outcome,
        "application/json; charset=utf-8",
        |user, number| {
            let log_id = log_id(number);
            match user {
                Ok(user) => {
                    let data = user.members("open_id", "union_id");
                    format!(
                        "{{\"log_id\":\"{log_id}\",\"data\":{{{data}}},\"err_no\":0,\"err_msg\":\"\"}}"
                    )
                }
                Err(refused) => {
                    let code = err_no(refused);
                    let text = message(code);
                    format!("{{\"log_id\":\"{log_id}\",\"err_no\":{code},\"err_msg\":\"{text}\"}}")
                }
            }
        },
    )
}

const fn err_no(refused: Refused) -> i64 {
    match refused {
        Refused::UnknownApp | Refused::NoSecret | Refused::WrongSecret => 28001003,
        Refused::Busy => 28001005,
        Refused::BadRequest | Refused::NoAppid | Refused::NoCode => 28001007,
        Refused::Blocked => 28001046,
        Refused::Quota => 28003017,
        Refused::Limited => 28003018,
        Refused::Errcode(code) => code,
        _ => 40018,
    }
}

const fn message(code: i64) -> &'static str {
    match code {
        28001003 => "access_token invalid",
        28001005 => "system busy",
        28001007 => "invalid parameter",
        28001046 => "user banned",
        28003017 => "quota used up",
        28003018 => "too many requests",
        code => text(code),
    }
}
