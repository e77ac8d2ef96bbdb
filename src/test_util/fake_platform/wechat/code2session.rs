use super::words::{MIME, error};
use crate::test_util::fake_platform::answer::Answer;
use crate::test_util::fake_platform::outcome::{Outcome, Refused, User};
use crate::test_util::fake_platform::received::Received;
use crate::test_util::fake_platform::world::{Exchange, World};

/// The exchange of a code; a user who logged in is shown, with the app.
pub(super) fn code2session(
    request: &Received<'_>,
    world: &mut World,
    note: impl FnOnce(&str, &User),
) -> Answer {
    let outcome = exchange(request, world);
    if let Ok(user) = &outcome.user {
        note(request.query().get("appid"), user);
    }
    answer(outcome)
}

/// The exchange of a code, as QQ has it, too.
pub(in super::super) fn exchange(request: &Received<'_>, world: &mut World) -> Outcome {
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

fn answer(outcome: Outcome) -> Answer {
    Answer::to_exchange(outcome, MIME, |user, number| match user {
        Ok(user) => format!("{{{}}}", user.members("openid", "unionid")),
        Err(refused) => error(refused, number),
    })
}
