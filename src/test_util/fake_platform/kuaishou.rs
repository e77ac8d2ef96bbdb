use http::Method;

use super::answer::Answer;
use super::dialect::Dialect;
use super::outcome::{Outcome, Refused};
use super::received::{Parameters, Received};
use super::world::{Exchange, World};

/// Kuaishou's words to mini programs.
#[derive(Debug, Default)]
pub struct Kuaishou;

/// Kuaishou's words to mini games in China.
#[derive(Debug, Default)]
pub struct KuaishouMiniGame;

/// Kwai's words to mini games abroad.
#[derive(Debug, Default)]
pub struct KwaiGame;

impl Dialect for Kuaishou {
    const APPID: &'static str = "ks7fa4efa4e00000001";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7fa4ek1";

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        let is_exchange = request.is(&Method::POST, "/oauth2/mp/code2session");
        is_exchange.then(|| answer(exchange(&request.form(), "js_code", world), at_home))
    }
}

impl Dialect for KuaishouMiniGame {
    const APPID: &'static str = "ks7fa4efa4e00000002";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7fa4ek2";

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
            Ok(user) => {
                let members = user.members("open_id", "union_id");
                format!("{{\"result\":1,{members}}}")
            }
            Err(refused) => {
                let result = refused.written(result(refused));
                format!("{{\"result\":{result},\"error\":\"error\",\"error_msg\":\"refused\"}}")
            }
        },
    )
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
