//! The Rust in the README compiles: it stands here too, and both have to be the same.
#![cfg(all(feature = "axum", feature = "wechat"))]
#![allow(
    dead_code,
    unused_variables,
    reason = "the recipes are compiled, not run"
)]

use std::error::Error;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tower_wx_session::wechat::WeChat;

#[derive(Debug, Serialize, Deserialize)]
struct Role {
    admin: bool,
}

fn is_banned(openid: &str) -> bool {
    openid.is_empty()
}

#[derive(Clone)]
struct Db;

impl Db {
    async fn role_of(&self, user: &tower_wx_session::Identity) -> std::io::Result<Option<Role>> {
        Ok((user.openid() == "alice").then_some(Role { admin: true }))
    }
}

type Memory = tower_wx_session::Sessions<tower_wx_session::store::MemoryStore>;

#[rustfmt::skip]
async fn recipes(sessions: Memory, session: tower_wx_session::Session, wechat: WeChat, db: Db) -> Result<(), Box<dyn Error>> {
// <recipes>
use tower_wx_session::login::{Login, Refusal};
use tower_wx_session::response::{Preset, ResponseForRejection};
use tower_wx_session::store::{MemoryStore, RevokeReason};
use tower_wx_session::{Identity, Rejection, Session, SessionLayer, Sessions, TokenSource};

// The user's row, a ban, and data for the session that handlers read typed.
let login = Login::new(sessions.clone(), wechat).on_login(async |identity: &Identity| {
    if is_banned(identity.openid()) { return Err(Refusal::blocked()) }
    Ok(Role { admin: false })
});
async fn handler(session: Session) -> Result<String, StatusCode> {
    let role: Option<Role> = session.data().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(format!("{} {role:?}", session.openid()))
}

// The same with a database: the future gets clones, because it must not borrow from the closure.
let login = login.on_login(move |identity: &Identity| {
    let (db, identity) = (db.clone(), identity.clone());
    async move {
        let role = db.role_of(&identity).await.map_err(Refusal::unavailable)?;
        role.ok_or_else(Refusal::blocked)
    }
});

// Pages for everyone that greet whoever is logged in: `Option<Session>` in the handler.
let layer = SessionLayer::new(sessions.clone()).optional();

// Tokens from elsewhere, and paths that are not checked.
let layer = SessionLayer::new(sessions.clone())
    .with_sources([TokenSource::bearer(), TokenSource::skey()])
    .with_unchecked(|_, uri| uri.path() == "/health");

// Another body; status and headers stay as they are.
let layer = SessionLayer::new(sessions.clone()).with_rejection_response(|rejection: &Rejection| {
    let mut response = Preset::Json.response_for_rejection(rejection);
    let action = rejection.kind().action().as_str();
    *response.body_mut() = format!(r#"{{"ok":false,"action":"{action}"}}"#).into();
    response
});

// Five devices per user, half an hour of idleness.
let sessions = Sessions::builder(MemoryStore::new())
    .sessions_per_user(5)
    .idle_timeout(Duration::from_secs(30 * 60))
    .build()?;

// Ending sessions: refused on this node from the next request on.
sessions.revoke(&session, RevokeReason::LoggedOut).await?;
sessions.revoke_user(session.identity()).await?;
sessions.revoke_others(&session).await?;

// As an administrator: a session, its id, its token, or all of a user's. The user may log in again,
// unless `on_login` refuses.
sessions.kick_out(session.identity()).await?;

// Decrypting what WeChat encrypted for the user, on the server.
let keys = sessions.session_key(session.identity()).await?;
// </recipes>
Ok(())
}

#[test]
fn the_recipes_are_those_of_the_readme() {
    let compiled = include_str!("readme.rs");
    let between = compiled.split("// <recipes>\n").nth(1);
    let recipes = between.and_then(|rest| rest.split("// </recipes>").next());
    assert!(include_str!("../README.md").contains(recipes.unwrap()));

    let code = |text: &str| -> Vec<String> {
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        text.lines()
            .filter(is_code)
            .map(ToOwned::to_owned)
            .collect()
    };
    let chinese = code(include_str!("../README.zh-CN.md")).join("\n");
    assert!(chinese.contains(code(recipes.unwrap()).join("\n").trim()));
}
