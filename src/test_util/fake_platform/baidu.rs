use std::time::Duration;

use http::{Method, StatusCode};

use super::answer::Answer;
use super::dialect::Dialect;
use super::outcome::{Refused, digest_hex};
use super::received::Received;
use super::world::{Exchange, World};

const MIME: &str = "application/json";

/// Baidu's words.
#[derive(Debug, Default)]
pub struct Baidu;

impl Dialect for Baidu {
    const APPID: &'static str = "fa4eAppKeyfa4eAppKeyfa4eAppKey01";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7fa4e5ec2e7fa4ebd";
    const CODE_LIFETIME: Duration = Duration::from_secs(600);

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        request
            .is(&Method::POST, "/oauth/jscode2sessionkey")
            .then(|| code2session(request, world))
    }
}

fn code2session(request: &Received<'_>, world: &mut World) -> Answer {
    let form = request.form();
    let outcome = world.exchange(Exchange {
        appid: form.get("client_id"),
        secret: form.get("sk"),
        code: form.get("code"),
    });
    let is_refused = outcome.user.is_err();
    let answer = Answer::to_exchange(outcome, MIME, |user, _| match user {
        Ok(user) => {
            let (openid, key) = (user.openid, key_of_192_bits(&user.session_key));
            format!("{{\"openid\":\"{openid}\",\"session_key\":\"{key}\"}}")
        }
        Err(refused) => error(refused),
    });
    match is_refused {
        true => answer.with_status(StatusCode::BAD_REQUEST),
        false => answer,
    }
}

/// 32 characters, which are the base64 of 24 bytes: Baidu encrypts with AES-192.
fn key_of_192_bits(key: &str) -> String {
    digest_hex(&["session_key", key])[..32].to_owned()
}

/// It has no word for being busy, for users who may not log in, nor for quotas.
fn error(refused: Refused) -> String {
    let word = match refused {
        Refused::NoAppid | Refused::NoSecret | Refused::NoCode | Refused::BadRequest => {
            return number(10010100);
        }
        Refused::Errcode(errno) => return number(errno),
        Refused::Word(word) => word,
        Refused::UnknownApp | Refused::WrongSecret => "invalid_client",
        _ => "invalid_grant",
    };
    let text = match word {
        "invalid_client" => "unknown client id",
        "invalid_grant" => "Invalid authorization code",
        _ => "error",
    };
    format!("{{\"error\":\"{word}\",\"error_description\":\"{text}\"}}")
}

fn number(errno: i64) -> String {
    format!(
        "{{\"errno\":{errno},\"error\":\"parameter is invalid\",\"error_description\":\"Field \
         validation failed on the 'required' tag\"}}"
    )
}
