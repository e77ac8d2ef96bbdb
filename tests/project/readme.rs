//! The Rust in the README compiles: it stands here too, and both have to be the same.
#![allow(
    dead_code,
    unused_variables,
    reason = "the recipes are compiled, not run"
)]

use std::collections::BTreeSet;
use std::error::Error;
use std::process::Command;
use std::time::Duration;

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;
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

// Ending sessions: refused on this node from the next request on. This one; the user's, this one in any case; others.
sessions.revoke(&session, RevokeReason::LoggedOut).await?;
sessions.revoke_all(&session).await?;
sessions.revoke_others(&session).await?;

// As an administrator: a session, its id, its token, or all of a user's. The user may log in again,
// unless `on_login` refuses.
sessions.kick_out(session.identity()).await?;

// Decrypting what WeChat encrypted for the user, on the server; newest first: `keys.iter()`.
let keys = sessions.session_key(session.identity()).await?;
// </recipes>
Ok(())
}

async fn serve(socket: &mut WebSocket) {
    while socket.recv().await.is_some() {}
}

async fn close(socket: WebSocket, reason: &str) {}

#[rustfmt::skip]
async fn websocket(sessions: Memory, session: tower_wx_session::Session, upgrade: WebSocketUpgrade) -> Response {
// <websocket>
upgrade.on_upgrade(async move |mut socket| {
    let over = tokio::select! {
        over = sessions.ended(session.id()) => over,
        () = serve(&mut socket) => return,
    };
    close(socket, over.kind().reason()).await;
})
// </websocket>
}

#[test]
fn the_recipes_are_those_of_the_readme() {
    let compiled = |name: &str| {
        let this = include_str!("readme.rs");
        let between = this.split(&format!("// <{name}>\n")).nth(1);
        let code = between.and_then(|rest| rest.split(&format!("// </{name}>")).next());
        code.unwrap().to_owned()
    };
    let code = |text: &str| -> Vec<String> {
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        text.lines()
            .filter(is_code)
            .map(ToOwned::to_owned)
            .collect()
    };
    let chinese = code(include_str!("../../README.zh-CN.md")).join("\n");
    for recipes in [compiled("recipes"), compiled("websocket")] {
        assert!(include_str!("../../README.md").contains(&recipes));
        assert!(chinese.contains(code(&recipes).join("\n").trim()));
    }
}

/// The code of the client, without comments.
fn client_of(readme: &str) -> String {
    let code = readme.split("```js\n").nth(1).expect("the client");
    let code = code.split("```").next().expect("its code");
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.fold(String::new(), |code, line| code + line + "\n")
}

#[test]
fn the_client_of_the_readme_logs_in_once_however_late_its_requests_are_refused() {
    let client = client_of(include_str!("../../README.md"));
    assert_eq!(client, client_of(include_str!("../../README.zh-CN.md")));
    let program = format!("{client}\n;{}", include_str!("../node/readme.js"));
    let node = Command::new("node").arg("-e").arg(program).output();
    let node = node.expect("node is installed");
    let errors = String::from_utf8_lossy(&node.stderr);
    assert!(node.status.success(), "{errors}");
    let seen = String::from_utf8_lossy(&node.stdout);
    let once = "1 login, alice alice alice\n";
    assert_eq!(seen, once.repeat(2), "in one go, one by one");
}

#[test]
fn both_readmes_link_to_the_same_files_and_all_are_there() {
    let links = |text: &str| -> BTreeSet<String> {
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let files = targets.filter(|target| !target.contains("://"));
        let names = files.filter_map(|target| target.split('#').next().map(ToOwned::to_owned));
        names.filter(|name| !name.starts_with("README")).collect()
    };
    let english = links(include_str!("../../README.md"));
    assert_eq!(english, links(include_str!("../../README.zh-CN.md")));
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in english {
        assert!(root.join(&file).exists(), "{file}");
    }
}
