use serde_json::json;

use super::WeChat;
use super::api::Verdict;
use crate::test_util::fake_platform::received::Received;
use crate::test_util::fake_platform::world::World;

impl WeChat {
    pub(super) fn stable(&mut self, request: &Received<'_>, world: &World) -> Verdict {
        let body = request.json_value();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (appid, secret) = (text("appid"), text("secret"));
        check_app(world, &text("grant_type"), &appid, &secret)?;
        let now = world.now();
        let issued = match body["force_refresh"] == true {
            true => self.tokens.forced(&appid, now).ok_or(45009)?,
            false => self.tokens.stable(&appid, now),
        };
        Ok(json!({ "access_token": issued.0, "expires_in": issued.1 }))
    }

    pub(super) fn replacing(&mut self, request: &Received<'_>, world: &World) -> Verdict {
        let query = request.query();
        let (appid, secret) = (query.get("appid"), query.get("secret"));
        check_app(world, query.get("grant_type"), appid, secret)?;
        let issued = self.tokens.replacing(appid, world.now());
        Ok(json!({ "access_token": issued.0, "expires_in": issued.1 }))
    }
}

fn check_app(world: &World, grant_type: &str, appid: &str, secret: &str) -> Result<(), i64> {
    match world.secret_of(appid) {
        _ if grant_type != "client_credential" => Err(40002),
        _ if appid.is_empty() => Err(41002),
        _ if secret.is_empty() => Err(41004),
        None => Err(40013),
        Some(known) if known != secret => Err(40125),
        Some(_) => Ok(()),
    }
}
