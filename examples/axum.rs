//! A mini program's backend: login, sessions, logout, metrics.
//!
//! `cargo run --release --all-features --example axum` needs nothing installed or configured: it
//! logs users in at a fake WeChat in the same process. The README shows what to send it.
//!
//! | Variable | Meaning | Default |
//! |---|---|---|
//! | `LISTEN` | address and port | `127.0.0.1:3000` |
//! | `STORE` | where sessions are kept: `memory`; `file:PATH`; `postgres://…`, `mysql://…`, `redis://…`, `rediss://…`, `redis+sentinel://…`, `redis+cluster://…` as the stores of these names have it | `memory` |
//! | `PLATFORM` | whose fake logs users in: `wechat`, `qq`, `douyin`, `baidu`, `kuaishou`, `alipay`, `lark`, `dingtalk`, `telegram`, `vk` | `wechat` |
//! | `WX_APPID`, `WX_SECRET` | the app at the real WeChat | the fake WeChat |
//! | `WX_API_BASE` | another WeChat than the real one | `https://api.weixin.qq.com` |
//! | `IDLE_SECONDS` | how long a session may go unused | `7200` |
//! | `LIFETIME_SECONDS` | how long a session lasts in any case | `2592000` |
//! | `GRACE_SECONDS` | how long known sessions pass after their last confirmation while the store is down | `60` |
//! | `REFUSAL` | what the refusals of the layer and of the login look like: `json`, `ok_json`, `ok_code`, `by_platform`, `wafer` | `json` |
//! | `RUST_LOG` | what is logged | `info` |
//!
//! Without `STORE`, `PLATFORM` and `WX_APPID` there is a demo besides, and a page at `/`: see `demo`.
//!
//! SIGTERM or Ctrl-C ends it: requests in flight get 5 s.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to whoever started it"
)]

use std::future::ready;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use tower_wx_session::login::{Login, Platforms};
use tower_wx_session::response::Preset;
use tower_wx_session::sessions::Revocation;
use tower_wx_session::store::{AnyStore, RevokeReason};
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{
    Identity, Rejection, Session, SessionId, SessionLayer, Sessions, TokenSource,
};

mod demo;
mod open_data;
mod settings;
mod telemetry;
mod websocket;

use demo::Demo;
use demo::places::Places;
use settings::{Settings, stop};

/// What `/` says where there is no demo.
const ABOUT: &str = "A mini program's backend, an example: /login, /me, /sessions, /logout.
What to send it is in the README of tower-wx-session.
";

type AppState = Sessions<AnyStore>;

#[tokio::main]
async fn main() -> ExitCode {
    settings::exit_code(run().await)
}

async fn run() -> Result<(), String> {
    settings::log()?;
    let metrics = telemetry::metrics(Places)?;
    let settings = Settings::from_env("127.0.0.1:3000")?;
    let listener = settings.listener().await?;
    let demo = settings.is_alone().then(Demo::start);
    let sessions = match &demo {
        Some(demo) => settings.build(demo.sessions())?,
        None => settings.sessions()?,
    };
    let (refusal, idle_timeout) = (settings.refusal, settings.idle_timeout);
    let platform = settings.platform().await?;
    let mut login = Login::new(sessions.clone(), platform.login);
    let app = match (demo, &platform.fake_wechat) {
        (Some(demo), Some(wechat)) => {
            let users = demo.users();
            login = login.on_login(move |user: &Identity| {
                users.note(user);
                ready(Ok(()))
            });
            let app = demo.watch(app(sessions.clone(), login, platform.wechat, refusal));
            app.merge(demo.routes(sessions.clone(), wechat.clone(), idle_timeout))
        }
        _ => app(sessions.clone(), login, platform.wechat, refusal).route("/", get(ABOUT)),
    };
    let app = app.merge(metrics);
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let asked = stop::asked().map_err(|error| error.to_string())?;
    println!("listening on http://{address}");

    let serve = |asked| axum::serve(listener, app).with_graceful_shutdown(asked);
    stop::serve(asked, |asked| serve(asked).into_future()).await?;
    stop::shut_down(sessions).await
}

fn app(
    sessions: AppState,
    login: Login<AnyStore, Platforms>,
    wechat: Option<WeChat>,
    refusal: Preset,
) -> Router {
    let layer = SessionLayer::new(sessions.clone())
        .with_sources([TokenSource::bearer(), TokenSource::skey()])
        .with_rejection_response(refusal);
    let login = login.with_rejection_response(refusal);
    let websocket = websocket::routes(sessions.clone(), refusal);
    Router::new()
        .route("/me", get(me))
        .route("/sessions", get(list))
        .route("/upload", post(upload))
        .route("/rotate", post(rotate))
        .route("/logout", post(logout))
        .route("/logout_others", post(logout_others))
        .route("/logout_everywhere", post(logout_everywhere))
        .merge(open_data::routes(sessions.clone(), wechat))
        // Not `.layer`: that would refuse unknown paths, too, instead of answering 404.
        .route_layer(layer)
        .with_state(sessions)
        // What stands below the layer is not checked by it.
        .route("/public", get("open to everyone\n"))
        .route_service("/login", login)
        // It has a layer of its own, which takes tokens from the query, too.
        .merge(websocket)
}

#[derive(Serialize)]
struct Uploaded {
    bytes: usize,
}

/// Tells how long the body was, the form around a file included.
async fn upload(_: Session, body: Bytes) -> Json<Uploaded> {
    Json(Uploaded { bytes: body.len() })
}

#[derive(Serialize)]
struct Me {
    appid: String,
    openid: String,
}

async fn me(session: Session) -> Json<Me> {
    Json(Me {
        appid: session.appid().to_owned(),
        openid: session.openid().to_owned(),
    })
}

/// One of the user's sessions, in Unix seconds.
#[derive(Serialize)]
struct Listed {
    id: SessionId,
    issued_at: u64,
    expires_at: u64,
    current: bool,
}

async fn list(
    current: Session,
    State(sessions): State<AppState>,
) -> Result<Json<Vec<Listed>>, Rejection> {
    let live = sessions.list(current.identity()).await?;
    let listed = live.iter().map(|session| Listed {
        id: session.id(),
        issued_at: unix_seconds(session.issued_at()),
        expires_at: unix_seconds(session.expires_at()),
        current: session.id() == current.id(),
    });
    Ok(Json(listed.collect()))
}

/// A new token, as the login answers it.
#[derive(Serialize)]
struct Rotated {
    token: String,
    expires_in: u64,
}

/// Puts a new token in the place of the one that was sent, which stays good for its grace.
async fn rotate(
    session: Session,
    State(sessions): State<AppState>,
) -> Result<Json<Rotated>, Rejection> {
    let issued = sessions.rotate(session.id()).await?;
    Ok(Json(Rotated {
        token: issued.token().expose().to_owned(),
        expires_in: issued.expires_in().as_secs(),
    }))
}

async fn logout(
    session: Session,
    State(sessions): State<AppState>,
) -> Result<StatusCode, Rejection> {
    let revocation = sessions.revoke(&session, RevokeReason::LoggedOut).await?;
    Ok(status_of(revocation))
}

async fn logout_others(
    session: Session,
    State(sessions): State<AppState>,
) -> Result<StatusCode, Rejection> {
    let revocation = sessions.revoke_others(&session).await?;
    Ok(status_of(revocation))
}

async fn logout_everywhere(
    session: Session,
    State(sessions): State<AppState>,
) -> Result<StatusCode, Rejection> {
    let revocation = sessions.revoke_all(&session).await?;
    Ok(status_of(revocation))
}

fn status_of(revocation: Revocation) -> StatusCode {
    match revocation {
        Revocation::Done(_) => StatusCode::NO_CONTENT,
        Revocation::Pending => StatusCode::ACCEPTED,
    }
}

fn unix_seconds(instant: SystemTime) -> u64 {
    let since_epoch = instant.duration_since(UNIX_EPOCH);
    since_epoch.unwrap_or_default().as_secs()
}
