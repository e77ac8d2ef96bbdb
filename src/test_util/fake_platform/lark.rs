use http::{Method, StatusCode};

use super::answer::Answer;
use super::dialect::Dialect;
use super::outcome::{Refused, User};
use super::received::Received;
use super::tokens::Tokens;
use super::world::{Exchange, World};

const MIME: &str = "application/json; charset=utf-8";

/// Lark's words.
#[derive(Debug, Default)]
pub struct Lark(Tokens);

impl Dialect for Lark {
    const APPID: &'static str = "cli_fa4efa4e00000001";
    const SECRET: &'static str = "5ec2e7fa4e5ec2e7fa4e5ec2e7fa4e1a";

    fn answer(&mut self, request: &Received<'_>, world: &mut World) -> Option<Answer> {
        if request.is(
            &Method::POST,
            "/open-apis/auth/v3/app_access_token/internal",
        ) {
            return Some(self.app_access_token(request, world));
        }
        request
            .is(&Method::POST, "/open-apis/mina/v2/tokenLoginValidate")
            .then(|| self.login(request, world))
    }
}

impl Lark {
    fn app_access_token(&mut self, request: &Received<'_>, world: &World) -> Answer {
        let body = request.json();
        let (appid, secret) = (body.get("app_id"), body.get("app_secret"));
        if appid.is_empty() || world.secret_of(appid) != Some(secret) {
            return Answer::ok(MIME, error(10014));
        }
        let (token, expire) = self.0.give(appid, world.now());
        Answer::ok(
            MIME,
            format!(
                "{{\"app_access_token\":\"{token}\",\"code\":0,\"expire\":{expire},\"msg\":\"ok\",\
                 \"tenant_access_token\":\"{token}\"}}"
            ),
        )
    }

    fn login(&self, request: &Received<'_>, world: &mut World) -> Answer {
        let token = request.header("authorization").strip_prefix("Bearer ");
        let appid = self.0.app_of(token.unwrap_or_default(), world.now());
        let Some(appid) = appid else {
            return Answer::ok(MIME, error(10202));
        };
        let secret = world.secret_of(&appid).unwrap_or_default().to_owned();
        let outcome = world.exchange(Exchange {
            appid: &appid,
            secret: &secret,
            code: request.json().get("code"),
        });
        let is_limited = matches!(&outcome.user, Err(why) if code(*why) == LIMITED);
        let answer = Answer::to_exchange(outcome, MIME, |user, _| match user {
            Ok(user) => success(&user),
            Err(refused) => error(code(refused)),
        });
        match is_limited {
            true => answer.with_status(StatusCode::TOO_MANY_REQUESTS),
            false => answer,
        }
    }
}

/// The `union_id` is there for everybody, and is not what it is called.
fn success(user: &User) -> String {
    let (openid, key) = (&user.openid, &user.session_key);
    format!(
        "{{\"code\":0,\"msg\":\"success\",\"data\":{{\"open_id\":\"{openid}\",\
         \"union_id\":\"ou_deprecated\",\"session_key\":\"{key}\",\"tenant_key\":\"2c5914ac018f97\",\
         \"access_token\":\"u-fa4e\",\"expires_in\":1565512680,\"refresh_token\":\"ur-fa4e\"}}}}"
    )
}

const LIMITED: i64 = 99991400;

/// It has no code for being busy.
const fn code(refused: Refused) -> i64 {
    match refused {
        Refused::Blocked => 10228,
        Refused::Limited | Refused::Quota => LIMITED,
        Refused::Errcode(code) => code,
        _ => 10213,
    }
}

fn error(code: i64) -> String {
    let text = match code {
        10014 => "app secret invalid",
        10202 => "access token invalid",
        10213 => "code appid not match",
        10228 => "user to app has no visibility",
        LIMITED => "request trigger frequency limit",
        _ => "error",
    };
    format!("{{\"code\":{code},\"msg\":\"{text}\"}}")
}
