use http::Method;
use serde_json::{Value, json};

use super::WeChat;
use super::words::error;
use crate::test_util::fake_platform::answer::Answer;
use crate::test_util::fake_platform::fault::Fault;
use crate::test_util::fake_platform::outcome::{Refused, User};
use crate::test_util::fake_platform::received::Received;
use crate::test_util::fake_platform::world::World;

/// What the APIs answer with, code2Session aside.
const JSON: &str = "application/json; encoding=utf-8";

/// What an API says: the members of a success beside `errcode`, or the errcode of a refusal.
pub(super) type Verdict = Result<Value, i64>;

/// A request to an API, and what the fake knows when it comes.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Received<'a>,
    pub(super) world: &'a World,
    pub(super) appid: String,
}

impl WeChat {
    /// Hands out an access_token.
    pub(super) fn token(
        &mut self,
        method: &Method,
        request: &Received<'_>,
        world: &World,
        issue: impl FnOnce(&mut Self, &Received<'_>, &World) -> Verdict,
    ) -> Answer {
        let fault = self.token_fault;
        let verdict = match request.method() == method {
            true => issue(self, request, world),
            false => Err(if method == Method::GET { 43001 } else { 43002 }),
        };
        // A success has no errcode.
        self.write(fault, verdict, json!({}))
    }

    /// Answers a call that takes an access_token.
    pub(super) fn api(
        &mut self,
        request: &Received<'_>,
        world: &mut World,
        answer: impl FnOnce(&mut Self, &Asked<'_>) -> Verdict,
    ) -> Answer {
        let query = request.query();
        let app = self.tokens.app_of(query.get("access_token"), world.now());
        // The token comes first: who has none meets no fault and spends no code.
        let fault = match &app {
            Ok(_) => world.fault(request.json().get("code")),
            Err(_) => None,
        };
        let verdict = app.and_then(|appid| {
            answer(
                self,
                &Asked {
                    request,
                    world,
                    appid,
                },
            )
        });
        self.write(fault, verdict, json!({ "errcode": 0, "errmsg": "ok" }))
    }

    /// A fault in place of the verdict, or on the way of it.
    fn write(&self, fault: Option<Fault>, verdict: Verdict, success: Value) -> Answer {
        let instead = fault.map(|fault| fault.instead_of(Ok(User::nobody())));
        let body = match (instead, verdict) {
            (Some(Err(refused)), _) => error(refused, self.calls),
            (_, Err(errcode)) => error(Refused::Errcode(errcode), self.calls),
            (_, Ok(members)) => merged(success, members).to_string(),
        };
        Answer::ok(JSON, body).with_fault(fault)
    }
}

fn merged(mut all: Value, members: Value) -> Value {
    if let (Some(all), Value::Object(members)) = (all.as_object_mut(), members) {
        all.extend(members);
    }
    all
}
