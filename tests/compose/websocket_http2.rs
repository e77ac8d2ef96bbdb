//! A WebSocket over HTTP/2: the handshake is a CONNECT with `:protocol` (RFC 8441).

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tower_wx_session::response::Preset;
use tower_wx_session::store::RevokeReason;

use crate::support::http::Server;
use crate::support::nodes::{log_in, node, store_on_a_clock};
use crate::support::world::within_ten_seconds;
use crate::websocket::{app, echoes, example, is_closed, text};
use crate::websocket_opening::encoded;

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Client = http2::SendRequest<Empty<&'static [u8]>>;

/// Connects, and asks for something else first: before its first answer the server has said that it
/// knows the extended CONNECT.
async fn connect(server: &Server) -> Client {
    let address = server.url("").replace("http://", "");
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let handshake = http2::handshake(TokioExecutor::new(), stream).await;
    let (mut client, connection) = handshake.unwrap();
    tokio::spawn(connection);
    let first = Request::get(server.url("/")).body(Empty::new()).unwrap();
    within_ten_seconds(client.send_request(first))
        .await
        .unwrap();
    client
}

/// What a handshake is answered with: the headers and a socket, or the status and the reason.
async fn open(
    server: &Server,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<(HeaderMap, Socket), (StatusCode, Value)> {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(server.url(path))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut client = connect(server).await;
    let request = request.body(Empty::new()).unwrap();
    let mut response = within_ten_seconds(client.send_request(request))
        .await
        .unwrap();
    if response.status() != StatusCode::OK {
        let status = response.status();
        assert!(!response.headers().contains_key("sec-websocket-protocol"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        return Err((status, serde_json::from_slice(&body).unwrap()));
    }
    let upgraded = TokioIo::new(hyper::upgrade::on(&mut response).await.unwrap());
    let socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
    Ok((response.headers().clone(), socket))
}

#[tokio::test]
async fn a_connect_opens_a_socket_wherever_its_token_is() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let server = Server::start(app(&sessions)).await;
    let (bearer, offered) = (format!("Bearer {token}"), format!("chat, bearer, {token}"));
    let rows = [
        (format!("/ws?token={token}"), None, None),
        (format!("/ws?token={}", encoded(&token)[0]), None, None),
        ("/ws".to_owned(), Some(("authorization", &*bearer)), None),
        (
            "/ws".to_owned(),
            Some(("sec-websocket-protocol", &*offered)),
            Some("bearer"),
        ),
    ];
    for (path, header, named) in rows {
        let opened = open(&server, &path, header.as_slice()).await;
        let (headers, mut socket) = opened.unwrap_or_else(|refusal| panic!("{path}: {refusal:?}"));
        let answered = headers.get("sec-websocket-protocol");
        assert_eq!(answered.map(|name| name.to_str().unwrap()), named, "{path}");
        assert_eq!(text(&mut socket).await, r#"{"openid":"alice"}"#);
        echoes(&mut socket, "heard").await;
    }
}

#[tokio::test]
async fn no_preset_opens_a_socket_by_its_200() {
    let (clock, store) = store_on_a_clock();
    for preset in [Preset::OkJson, Preset::OkCode, Preset::Wafer] {
        let sessions = node(&store, &clock);
        let server = Server::start(example::routes(sessions, preset)).await;
        let Err((status, body)) = open(&server, "/ws", &[]).await else {
            panic!("{preset} opens it");
        };
        let seen = (status, &body["reason"]);
        let expected = json!("session_missing");
        assert_eq!(seen, (StatusCode::UNAUTHORIZED, &expected), "{preset}");
    }
}

#[tokio::test]
async fn a_connect_without_a_live_session_is_refused() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    sessions
        .kick_out(&sessions.check(&token).await.unwrap())
        .await
        .unwrap();
    let server = Server::start(app(&sessions)).await;
    let offered = format!("bearer, {token}");
    for (path, headers, reason) in [
        ("/ws", &[][..], "session_missing"),
        ("/ws?token=wxs%5Fnonsense", &[], "session_malformed"),
        (&format!("/ws?token={token}"), &[], "session_kicked_out"),
        (
            "/ws",
            &[("sec-websocket-protocol", &*offered)],
            "session_kicked_out",
        ),
    ] {
        let Err((status, body)) = open(&server, path, headers).await else {
            panic!("{path} is open");
        };
        assert_eq!(
            (status, &body["reason"]),
            (StatusCode::UNAUTHORIZED, &json!(reason))
        );
        assert_eq!(body["action"], "login");
    }
}

#[tokio::test]
async fn a_revocation_closes_a_socket_over_http_2() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let server = Server::start(app(&sessions)).await;
    let (_, mut socket) = open(&server, &format!("/ws?token={token}"), &[])
        .await
        .unwrap();
    assert_eq!(text(&mut socket).await, r#"{"openid":"alice"}"#);
    let session = sessions.check(&token).await.unwrap();
    sessions
        .revoke(&session, RevokeReason::LoggedOut)
        .await
        .unwrap();
    is_closed(&mut socket, "session_revoked").await;
}
