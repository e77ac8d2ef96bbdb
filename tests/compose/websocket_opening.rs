//! How clients open a WebSocket that can set no header of their choice: with the token in the query,
//! as they encode it, or among the protocols that they offer.

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::routing::any;
use http::StatusCode;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tower_wx_session::{SessionLayer, Sessions, TokenSource};

use crate::support::HookedStore;
use crate::support::http::Server;
use crate::support::nginx::Nginx;
use crate::support::nodes::{log_in, node, store_on_a_clock};
use crate::websocket::{app, echoes, request, text};

/// Each octet, as encoders write it that leave letters and digits alone, and as those that do not.
pub fn encoded(token: &str) -> [String; 3] {
    let every = |format: fn(u8) -> String| token.bytes().map(format).collect::<String>();
    [
        token.replace('_', "%5F").replace('-', "%2D"),
        every(|octet| format!("%{octet:02X}")),
        every(|octet| format!("%{octet:02x}")),
    ]
}

/// A service that speaks `chat`, next to the example that speaks none.
fn with_chat(sessions: &Sessions<HookedStore>) -> Router {
    let layer =
        SessionLayer::new(sessions.clone()).with_sources([TokenSource::websocket_protocol()]);
    let chat = any(async |upgrade: WebSocketUpgrade| {
        upgrade
            .protocols(["chat"])
            .on_upgrade(async |mut socket| while socket.recv().await.is_some() {})
    });
    let chat = Router::new().route("/chat", chat).route_layer(layer);
    app(sessions).merge(chat)
}

/// The status and the reason of a handshake that is refused.
async fn refusal(server: &Server, path: &str, protocols: &str) -> (StatusCode, String) {
    let headers = [("sec-websocket-protocol", protocols)];
    let headers = &headers[..usize::from(!protocols.is_empty())];
    let refused = connect_async(request(server, path, headers)).await;
    let Err(Error::Http(response)) = refused else {
        panic!("not refused: {refused:?}");
    };
    assert!(!response.headers().contains_key("sec-websocket-protocol"));
    let body: serde_json::Value =
        serde_json::from_slice(response.body().as_deref().unwrap()).unwrap();
    (
        response.status(),
        body["reason"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test]
async fn a_token_that_a_client_has_percent_encoded_opens_a_socket() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let server = Server::start(app(&sessions)).await;
    let mut paths = encoded(&token)
        .map(|token| format!("/ws?room=1&token={token}"))
        .to_vec();
    paths.push(format!("/ws?%74oken={token}"));
    // The same token twice is one.
    paths.push(format!("/ws?token={token}&tok%65n={}", encoded(&token)[0]));
    for path in paths {
        let (mut socket, _) = connect_async(request(&server, &path, &[])).await.unwrap();
        assert_eq!(text(&mut socket).await, r#"{"openid":"alice"}"#);
    }
    let bearer = format!("Bearer {token}");
    let twice = format!("/ws?token={}", encoded(&token)[1]);
    let twice = request(&server, &twice, &[("authorization", &bearer)]);
    connect_async(twice).await.unwrap();
}

#[tokio::test]
async fn what_is_no_token_once_it_is_decoded_is_malformed() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let (token, another) = (log_in(&sessions).await, log_in(&sessions).await);
    let server = Server::start(app(&sessions)).await;
    let malformed = (StatusCode::UNAUTHORIZED, "session_malformed".to_owned());
    let cut = &token[..token.len() - 1];
    let twice = encoded(&token)[0].replace('%', "%25");
    for wrong in [
        "%",
        "%5",
        "%zz",
        "%00",
        "%FF%FE",
        &format!("{cut}%"),
        &twice,
        &format!("{token}+"),
    ] {
        let path = format!("/ws?token={wrong}");
        assert_eq!(refusal(&server, &path, "").await, malformed, "{wrong}");
    }
    let two = format!("/ws?token={token}&token={}", encoded(&another)[0]);
    let ambiguous = (StatusCode::BAD_REQUEST, "ambiguous_token".to_owned());
    assert_eq!(refusal(&server, &two, "").await, ambiguous);
}

/// tungstenite fails the connection unless the answer names one of the protocols offered, as
/// browsers do.
#[tokio::test]
async fn a_token_among_the_protocols_opens_a_socket_and_another_protocol_is_named() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    // The second node knows nothing of the session: it asks the store, and the request waits.
    for sessions in [sessions, node(&store, &clock)] {
        let server = Server::start(with_chat(&sessions)).await;
        for (path, offered, named) in [
            ("/ws", "bearer, TOKEN", "bearer"),
            ("/ws", "chat,bearer,TOKEN,v2", "bearer"),
            ("/chat", "bearer, TOKEN, chat", "chat"),
            ("/chat", "bearer, TOKEN, v2", "bearer"),
        ] {
            let offered = offered.replace("TOKEN", &token);
            let request = request(&server, path, &[("sec-websocket-protocol", &offered)]);
            let (mut socket, response) = connect_async(request).await.unwrap();
            let answered: Vec<_> = response
                .headers()
                .get_all("sec-websocket-protocol")
                .iter()
                .collect();
            assert_eq!(answered, [named], "{path} {offered}");
            if path == "/ws" {
                assert_eq!(text(&mut socket).await, r#"{"openid":"alice"}"#);
                echoes(&mut socket, "heard").await;
            }
        }
    }
}

#[tokio::test]
async fn a_refused_handshake_names_no_protocol() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let (token, another) = (log_in(&sessions).await, log_in(&sessions).await);
    sessions
        .kick_out(&sessions.check(&token).await.unwrap())
        .await
        .unwrap();
    let server = Server::start(app(&sessions)).await;
    for (offered, status, reason) in [
        ("bearer, TOKEN", 401, "session_kicked_out"),
        ("bearer, chat", 401, "session_malformed"),
        ("bearer", 401, "session_missing"),
        // Without `bearer` in front, or with it in another form, nothing is a token.
        ("TOKEN", 401, "session_missing"),
        ("Bearer, TOKEN", 401, "session_missing"),
        ("bearer, TOKEN, bearer, ANOTHER", 400, "ambiguous_token"),
    ] {
        let offered = offered
            .replace("TOKEN", &token)
            .replace("ANOTHER", &another);
        let expected = (StatusCode::from_u16(status).unwrap(), reason.to_owned());
        assert_eq!(
            refusal(&server, "/ws", &offered).await,
            expected,
            "{offered}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_passes_the_protocols_on_and_back() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let server = Server::start(app(&sessions)).await;
    let nginx = Nginx::start(&format!(
        "server {{ listen 127.0.0.1:PORT; location / {{
            proxy_pass {}; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
        }} }}",
        server.url("")
    ));
    let offered = format!("bearer, {token}");
    let mut request = request(&server, "/ws", &[("sec-websocket-protocol", &offered)]);
    *request.uri_mut() = format!("ws://127.0.0.1:{}/ws", nginx.port).parse().unwrap();
    let (mut socket, response) = connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "bearer");
    assert_eq!(text(&mut socket).await, r#"{"openid":"alice"}"#);
}
