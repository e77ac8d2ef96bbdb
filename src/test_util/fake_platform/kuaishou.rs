use http::Method;

use super::answer::Answer;
use super::dialect::Dialect;
use super::outcome::{Outcome, Refused, User};
use super::received::{Parameters, Received};
use super::world::{Exchange, World};

/// Kuaishou's words to mini programs.
#[derive(Debug)]
pub struct Kuaishou;

/// Kuaishou's words to mini games in China.
#[derive(Debug)]
pub struct KuaishouMiniGame;

/// Kwai's words to mini games abroad.
#[derive(Debug)]
pub struct KwaiGame;

impl Dialect for Kuaishou {
    const APPID: &'static str = "ks7fa4efa4e00000001";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7fa4ek1";

    fn start() -> Self {
        Self
    }

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        let is_exchange = request.is(&Method::POST, "/oauth2/mp/code2session");
        is_exchange.then(|| answer(exchange(&request.form(), "js_code", world), at_home))
    }
}

impl Dialect for KuaishouMiniGame {
    const APPID: &'static str = "ks7fa4efa4e00000002";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7fa4ek2";

    fn start() -> Self {
        Self
    }

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        let (is_exchange, query) = (
            request.is(&Method::GET, "/game/minigame/jscode2session"),
            request.query(),
        );
        is_exchange.then(|| match query.get("grant_type") {
            "authorization_code" => answer(exchange(&query, "js_code", world), at_home),
            _ => answer(Outcome::refused(Refused::BadRequest), at_home),
        })
    }
}

impl Dialect for KwaiGame {
    const APPID: &'static str = "ks7fa4efa4e00000003";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7fa4ek3";

    fn start() -> Self {
        Self
    }

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        let is_exchange = request.is(&Method::POST, "/openapi/login/code2session");
        is_exchange.then(|| answer(exchange(&request.query(), "code", world), abroad))
    }
}

fn exchange(parameters: &Parameters, code: &str, world: &mut World) -> Outcome {
    world.exchange(Exchange {
        appid: parameters.get("app_id"),
        secret: parameters.get("app_secret"),
        code: parameters.get(code),
    })
}

fn answer(outcome: Outcome, result: fn(Refused) -> i64) -> Answer {
    Answer::to_exchange(
        outcome,
        "application/json;charset=UTF-8",
        |user, _| match user {
            Ok(user) => success(&user),
            Err(refused) => {
                let quote = if matches!(refused, Refused::StringErrcode) {
                    "\""
                } else {
                    ""
                };
                let result = result(refused);
                format!(
                    "{{\"result\":{quote}{result}{quote},\"error\":\"error\",\"error_msg\":\"refused\"}}"
                )
            }
        },
    )
}

fn success(user: &User) -> String {
    let unionid = match &user.unionid {
        Some(id) => format!(",\"union_id\":\"{id}\""),
        None => String::new(),
    };
    let (key, openid) = (&user.session_key, &user.openid);
    format!("{{\"result\":1,\"session_key\":\"{key}\",\"open_id\":\"{openid}\"{unionid}}}")
}

/// It has no code for users who may not log in, nor for quotas.
const fn at_home(refused: Refused) -> i64 {
    match refused {
        Refused::Busy => 100200500,
        Refused::BadRequest | Refused::NoAppid | Refused::NoSecret | Refused::NoCode => 100200100,
        Refused::UnknownApp | Refused::WrongSecret => 100200101,
        Refused::Errcode(code) => code,
        _ => 100200105,
    }
}

/// It has no code for being busy, for users who may not log in, nor for quotas.
const fn abroad(refused: Refused) -> i64 {
    match refused {
        Refused::BadRequest | Refused::NoAppid | Refused::NoSecret | Refused::NoCode => 100,
        Refused::UnknownApp | Refused::WrongSecret => 240002,
        Refused::Errcode(code) => code,
        _ => 240001,
    }
}
