//! The WebSocket of the axum example: refused before the upgrade, open as long as its session.

#[path = "../../examples/websocket/mod.rs"]
pub mod example;

use std::future::pending;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::Message as ServerMessage;
use axum::routing::get;
use axum::serve::Listener;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Uri, Version};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async, connect_async};
use tower_wx_session::response::Preset;
use tower_wx_session::store::RevokeReason;
use tower_wx_session::{SessionLayer, Sessions, TokenSource};

use crate::support::http::{Answer, Server, client};
use crate::support::nodes::{log_in, node, node_with, settle, store_on_a_clock};
use crate::support::world::{HOUR, SECOND, within_ten_seconds};
use crate::support::{HookedStore, Op, switchable};

pub fn app(sessions: &Sessions<HookedStore>) -> Router {
    example::routes(sessions.clone(), Preset::Json)
}

pub fn request(server: &Server, path: &str, headers: &[(&'static str, &str)]) -> Request<()> {
    let url = server.url(path).replacen("http", "ws", 1);
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

async fn open(
    server: &Server,
    token: &str,
) -> WebSocketStream<impl AsyncRead + AsyncWrite + Unpin> {
    let request = request(server, &format!("/ws?token={token}"), &[]);
    let mut socket = connect_async(request).await.unwrap().0;
    assert_eq!(text(&mut socket).await, r#"{"openid":"alice"}"#);
    socket
}

/// The next message, which has to be a text.
pub async fn text<T: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<T>) -> String {
    match within_ten_seconds(socket.next()).await {
        Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
        other => panic!("not a text: {other:?}"),
    }
}

/// The rest of what a socket hears: why its session is over, and then the close.
pub async fn is_closed<T>(socket: &mut WebSocketStream<T>, reason: &str)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let refusal = format!(r#"{{"reason":"{reason}","action":"login"}}"#);
    assert_eq!(text(socket).await, refusal);
    let close = CloseFrame {
        code: 4401.into(),
        reason: reason.into(),
    };
    match within_ten_seconds(socket.next()).await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(frame, close),
        other => panic!("not closed: {other:?}"),
    }
}

pub async fn echoes<T: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<T>,
    said: &str,
) {
    socket.send(Message::text(said)).await.unwrap();
    assert_eq!(text(socket).await, said);
}

#[tokio::test]
async fn no_token_is_refused_before_the_upgrade() {
    let (clock, store) = store_on_a_clock();
    let server = Server::start(app(&node(&store, &clock))).await;
    let refused = connect_async(request(&server, "/ws", &[])).await;
    let Err(Error::Http(response)) = refused else {
        panic!("not refused: {refused:?}");
    };
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    let body: serde_json::Value =
        serde_json::from_slice(response.body().as_deref().unwrap()).unwrap();
    assert_eq!(body["reason"], "session_missing");
    assert_eq!(body["action"], "login");
    // Whoever is not refused, but does not ask for an upgrade, is told so.
    let token = log_in(&node(&store, &clock)).await;
    let plain = client(Version::HTTP_11).get(server.url("/ws"));
    assert_eq!(Answer::to(plain.bearer_auth(token)).await.status, 400);
}

#[tokio::test]
async fn a_token_in_a_header_or_in_the_query_opens_a_socket_that_echoes() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let server = Server::start(app(&sessions)).await;
    let (query, bearer) = (format!("/ws?token={token}"), format!("Bearer {token}"));
    let requests = [
        request(&server, &query, &[]),
        request(&server, "/ws", &[("authorization", &bearer)]),
        request(&server, "/ws", &[("x-wx-skey", &token)]),
    ];
    for request in requests {
        let (mut socket, response) = connect_async(request).await.unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(text(&mut socket).await, r#"{"openid":"alice"}"#);
        echoes(&mut socket, "one").await;
        socket.send(Message::binary(vec![0])).await.unwrap();
        echoes(&mut socket, "two").await;
    }
}

#[tokio::test]
async fn the_handler_does_not_see_the_token_in_its_uri() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let layer = SessionLayer::new(sessions).with_sources([TokenSource::query("token")]);
    let tell_uri = async |uri: Uri, upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |mut socket| {
            let uri = ServerMessage::text(uri.to_string());
            socket.send(uri).await.unwrap();
        })
    };
    let app = Router::new().route("/ws", get(tell_uri)).route_layer(layer);
    let server = Server::start(app).await;
    let request = request(&server, &format!("/ws?room=1&token={token}"), &[]);
    let mut socket = connect_async(request).await.unwrap().0;
    assert_eq!(text(&mut socket).await, "/ws?room=1");
}

#[tokio::test]
async fn a_revocation_on_this_node_closes_the_socket() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let server = Server::start(app(&sessions)).await;
    let mut socket = open(&server, &token).await;
    let session = sessions.check(&token).await.unwrap();
    let revoked = sessions.revoke(&session, RevokeReason::LoggedOut).await;
    revoked.unwrap();
    is_closed(&mut socket, "session_revoked").await;
}

#[tokio::test]
async fn a_revocation_on_another_node_closes_the_socket() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let server = Server::start(app(&sessions)).await;
    let mut socket = open(&server, &token).await;
    let another = node(&store, &clock);
    let session = another.check(&token).await.unwrap();
    another.kick_out(&session).await.unwrap();
    is_closed(&mut socket, "session_kicked_out").await;
}

#[tokio::test]
async fn the_idle_timeout_closes_a_socket_that_says_nothing() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let server = Server::start(app(&sessions)).await;
    let mut socket = open(&server, &token).await;
    clock.advance(3 * HOUR);
    is_closed(&mut socket, "session_idle_expired").await;
}

#[tokio::test]
async fn messages_are_uses_and_the_absolute_lifetime_closes_the_socket_all_the_same() {
    let (clock, store) = store_on_a_clock();
    let sessions = node_with(&store, &clock, |builder| builder.lifetime(4 * HOUR));
    let token = log_in(&sessions).await;
    let server = Server::start(app(&sessions)).await;
    let mut socket = open(&server, &token).await;
    for _half_hour in 1..8 {
        clock.advance(HOUR / 2);
        echoes(&mut socket, "still here").await;
    }
    clock.advance(HOUR / 2);
    is_closed(&mut socket, "session_expired").await;
}

#[tokio::test]
async fn an_outage_closes_no_socket() {
    let (clock, store) = store_on_a_clock();
    let (store, is_down) = switchable(store);
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let server = Server::start(app(&sessions)).await;
    let mut socket = open(&server, &token).await;
    is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    // Past the grace, so that nobody can tell.
    clock.advance(120 * SECOND);
    socket.send(Message::text("hello?")).await.unwrap();
    let unknown = json!({ "reason": "store_unavailable", "action": "retry" });
    let told: serde_json::Value = serde_json::from_str(&text(&mut socket).await).unwrap();
    assert_eq!(told, unknown);
    is_down.store(false, std::sync::atomic::Ordering::SeqCst);
    let back = async {
        loop {
            socket.send(Message::text("hello?")).await.unwrap();
            if text(&mut socket).await == "hello?" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within_ten_seconds(back).await;
}

/// Connections in memory: a thousand of them need no file descriptors.
struct InMemory(mpsc::Receiver<DuplexStream>);

impl Listener for InMemory {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_thousand_open_sockets_ask_the_store_nothing_and_end_one_by_one() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let (connect, connections) = mpsc::channel(1);
    let app = app(&sessions);
    tokio::spawn(async move { axum::serve(InMemory(connections), app).await });

    // From the first use on there is a link; who came before it asks once when it is there.
    log_in(&sessions).await;
    settle().await;
    let mut sockets = Vec::new();
    for _ in 0..1000 {
        let token = log_in(&sessions).await;
        let (near, far) = duplex(4096);
        connect.send(far).await.unwrap();
        let uri = format!("ws://localhost/ws?token={token}");
        let mut socket = client_async(uri, near).await.unwrap().0;
        assert_eq!(text(&mut socket).await, r#"{"openid":"alice"}"#);
        sockets.push((token, socket));
    }
    // A whole freshness and more goes by.
    for _second in 0..60 {
        clock.advance(SECOND);
        settle().await;
    }
    assert_eq!(store.calls(Op::Load), 0);

    let (token, mut revoked) = sockets.swap_remove(500);
    let session = sessions.check(&token).await.unwrap();
    sessions
        .revoke(&session, RevokeReason::LoggedOut)
        .await
        .unwrap();
    is_closed(&mut revoked, "session_revoked").await;
    for (_, socket) in &mut sockets {
        echoes(socket, "still here").await;
    }
}
