//! How each refusal of the layer comes about.

use tower_wx_session::Identity;
use tower_wx_session::store::{MemoryStore, RevokeReason, SessionStore, TagKey};

use super::nodes::node;
use super::world::{HOUR, SECOND, World};

pub type Headers = Vec<(&'static str, String)>;

pub fn bearer(token: &str) -> Headers {
    vec![("authorization", format!("Bearer {token}"))]
}

/// A token with a genuine tag that was issued by a store that has the same key and is lost.
pub async fn unknown_token(world: &World) -> String {
    let lost = MemoryStore::with_clock(world.clock.clone());
    let keys = world.store.tag_keys(TagKey::new(0, [0; 16])).await.unwrap();
    lost.tag_keys(keys[0].clone()).await.unwrap();
    let lost = node(&lost, &world.clock);
    let issued = lost.issue(Identity::new("wxa", "alice")).await.unwrap();
    issued.token().expose().to_owned()
}

/// Brings about a case of the tables of the layer's refusals; gives the headers to send to it.
///
/// The lifetime has to be three hours, and the cap one session per user.
pub async fn bring_about(case: &str, world: &World) -> Headers {
    let alice = Identity::new("wxa", "alice");
    let issued = world.sessions.issue(alice.clone()).await.unwrap();
    let token = issued.token();
    match case {
        "missing" => return Vec::new(),
        "malformed" => return bearer("rubbish"),
        "never seen" => return bearer(&unknown_token(world).await),
        "idle" => world.clock.advance(2 * HOUR),
        "expired" => {
            world.clock.advance(2 * HOUR - SECOND);
            world.sessions.check(token.expose()).await.unwrap();
            world.clock.advance(HOUR + SECOND);
        }
        "logged out" => {
            let reason = RevokeReason::LoggedOut;
            world.sessions.revoke(token, reason).await.unwrap();
        }
        "kicked out" => {
            world.sessions.kick_out(token).await.unwrap();
        }
        "replaced" => {
            world.sessions.issue(alice).await.unwrap();
        }
        "session_key over" => {
            let reason = RevokeReason::SessionKeyExpired;
            world.sessions.revoke(token, reason).await.unwrap();
        }
        "several" => {
            let other = world
                .sessions
                .issue(Identity::new("wxa", "bob"))
                .await
                .unwrap();
            let mut headers = bearer(token.expose());
            headers.push(("x-wx-skey", other.token().expose().to_owned()));
            return headers;
        }
        "store down" => {
            world.clock.advance(61 * SECOND);
            world.outage.of_all();
        }
        _ => panic!("no such case: {case}"),
    }
    bearer(token.expose())
}
