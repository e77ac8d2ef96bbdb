//! A WebSocket that is open as long as its session lasts.
//!
//! The layer answers before the upgrade, so whoever has no session gets the same refusal as
//! everywhere. `ended` costs nothing while it waits: no timer, no read from the store.
//!
//! An open socket does not count as activity of its session, and the session ends under it when it
//! has been idle for too long. `check_again` counts, and says for each message whether the session is live.
#![allow(unreachable_pub, reason = "a module of a program")]

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use serde_json::json;
use tower_wx_session::response::Preset;
use tower_wx_session::store::SessionStore;
use tower_wx_session::{Action, Rejection, Session, SessionLayer, Sessions, TokenSource};

/// The close code where the client should look at `action`; codes from 4000 are the application's.
const SESSION_OVER: u16 = 4401;
/// How long a client that reads nothing may hold up the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// `/ws`, behind a layer of its own. A browser sets no header but the protocols that it offers:
/// `new WebSocket(url, ["bearer", token])`. Other clients that cannot set one send `?token=`; whatever
/// stands outside of the layer sees that token: see `TokenSource::query`.
///
/// With `any`, because a WebSocket is opened by GET over HTTP/1.1 and by CONNECT over HTTP/2.
pub fn routes<S: SessionStore>(sessions: Sessions<S>, refusal: Preset) -> Router {
    let sources = [
        TokenSource::bearer(),
        TokenSource::skey(),
        TokenSource::websocket_protocol(),
        TokenSource::query("token"),
    ];
    let layer = SessionLayer::new(sessions.clone())
        .with_sources(sources)
        .with_rejection_response(refusal);
    Router::new()
        .route("/ws", any(upgrade::<S>))
        .route_layer(layer)
        .with_state(sessions)
}

async fn upgrade<S: SessionStore>(
    session: Session,
    State(sessions): State<Sessions<S>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.on_upgrade(async move |mut socket| {
        let over = tokio::select! {
            over = sessions.ended(session.id()) => Some(over),
            over = serve(&mut socket, &session, &sessions) => over,
        };
        if let Some(over) = over {
            let _ = tokio::time::timeout(PATIENCE, close(socket, &over)).await;
        }
    })
}

/// Says who the client is, and then repeats what it says. Ends with the reason if the session was
/// over at a message, with `None` when the client is gone.
async fn serve<S: SessionStore>(
    socket: &mut WebSocket,
    session: &Session,
    sessions: &Sessions<S>,
) -> Option<Rejection> {
    let hello = json!({ "openid": session.openid() }).to_string();
    socket.send(Message::text(hello)).await.ok()?;
    loop {
        let Message::Text(text) = socket.recv().await?.ok()? else {
            continue;
        };
        let answer = match sessions.check_again(session.id()).await {
            Ok(_) => Message::Text(text),
            Err(over) if over.kind().action() == Action::Login => return Some(over),
            // An outage ends nothing: the client may say it again.
            Err(unknown) => refusal(&unknown),
        };
        socket.send(answer).await.ok()?;
    }
}

/// Says why, in a text that every client can read, and closes.
async fn close(mut socket: WebSocket, over: &Rejection) -> Result<(), axum::Error> {
    socket.send(refusal(over)).await?;
    let frame = CloseFrame {
        code: SESSION_OVER,
        reason: over.kind().reason().into(),
    };
    socket.send(Message::Close(Some(frame))).await
}

fn refusal(rejection: &Rejection) -> Message {
    let (reason, action) = (rejection.kind().reason(), rejection.kind().action());
    Message::text(format!(
        r#"{{"reason":"{reason}","action":"{}"}}"#,
        action.as_str()
    ))
}
