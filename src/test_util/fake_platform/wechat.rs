use http::Method;

use super::answer::Answer;
use super::dialect::Dialect;
use super::outcome::{Outcome, Refused, User, digest};
use super::received::Received;
use super::world::{Exchange, World};

const MIME: &str = "text/plain";

/// WeChat's words.
#[derive(Debug)]
pub struct WeChat;

impl Dialect for WeChat {
    const APPID: &'static str = "wxfa4efa4e00000001";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7fa4e5ec2e7fa4e01";

    fn start() -> Self {
        Self
    }

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        let is_exchange = request.is(&Method::GET, "/sns/jscode2session");
        is_exchange.then(|| code2session(request, world))
    }
}

fn code2session(request: &Received<'_>, world: &mut World) -> Answer {
    let outcome = exchange(request, world);
    Answer::to_exchange(outcome, MIME, |user, number| match user {
        Ok(user) => success(&user),
        Err(refused) => error(refused, number),
    })
}

/// The exchange of a code, as QQ has it, too.
pub(super) fn exchange(request: &Received<'_>, world: &mut World) -> Outcome {
    let query = request.query();
    if query.get("grant_type") != "authorization_code" {
        return Outcome::refused(Refused::BadRequest);
    }
    world.exchange(Exchange {
        appid: query.get("appid"),
        secret: query.get("secret"),
        code: query.get("js_code"),
    })
}

fn success(user: &User) -> String {
    let unionid = match &user.unionid {
        Some(unionid) => format!(",\"unionid\":\"{unionid}\""),
        None => String::new(),
    };
    let (key, openid) = (&user.session_key, &user.openid);
    format!("{{\"session_key\":\"{key}\",\"openid\":\"{openid}\"{unionid}}}")
}

/// A refusal, with the id by which WeChat finds the request.
pub(super) fn error(refused: Refused, request: u64) -> String {
    let (errcode, rid) = (errcode(refused), rid(request));
    let quoted = match refused {
        Refused::StringErrcode => format!("\"{errcode}\""),
        _ => errcode.to_string(),
    };
    let text = errmsg(errcode);
    format!("{{\"errcode\":{quoted},\"errmsg\":\"{text}, rid: {rid}\"}}")
}

pub(super) const fn errcode(refused: Refused) -> i64 {
    match refused {
        Refused::Busy => -1,
        Refused::BadRequest => 40002,
        Refused::UnknownApp => 40013,
        Refused::BadCode | Refused::StringErrcode | Refused::Word(_) => 40029,
        Refused::WrongSecret => 40125,
        Refused::UsedCode => 40163,
        Refused::Blocked => 40226,
        Refused::NoAppid => 41002,
        Refused::NoSecret => 41004,
        Refused::NoCode => 41008,
        Refused::Quota => 45009,
        Refused::Limited => 45011,
        Refused::Errcode(errcode) => errcode,
    }
}

pub(super) const fn errmsg(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system busy",
        40002 => "invalid grant_type",
        40013 => "invalid appid",
        40029 => "invalid code",
        40125 => "invalid appsecret",
        40163 => "code been used",
        40226 => "code blocked",
        41002 => "appid missing",
        41004 => "appsecret missing",
        41008 => "missing code",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        _ => "error",
    }
}

fn rid(request: u64) -> String {
    let d = digest(&["rid", &request.to_string()]);
    let word = |at: usize| u32::from_be_bytes([d[at], d[at + 1], d[at + 2], d[at + 3]]);
    format!("{:08x}-{:08x}-{:08x}", word(0), word(4), word(8))
}
