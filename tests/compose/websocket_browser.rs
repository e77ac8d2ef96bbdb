//! A real browser opens the WebSocket of the axum example.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, WebSocketUpgrade};
use axum::middleware::{Next, from_fn};
use axum::routing::any;
use axum::serve::Listener;
use http::Version;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::server::TlsStream;
use tower_wx_session::{SessionLayer, Sessions, TokenSource};

use crate::support::HookedStore;
use crate::support::chromium::Chromium;
use crate::support::http::Server;
use crate::support::nodes::{log_in, node, store_on_a_clock};
use crate::told::{Told, page};
use crate::websocket::app;
use crate::websocket_opening::encoded;

/// Opens one socket after the other, and tells the server what became of each.
const PAGE: &str = "const opening = ([path, protocols]) => new Promise(done => {
  const told = {}
  const socket = new WebSocket(location.origin.replace('http', 'ws') + path, protocols)
  socket.onopen = () => { told.protocol = socket.protocol }
  socket.onmessage = ({ data }) => { told.heard = data; socket.close(1000) }
  socket.onerror = () => { told.error = true }
  socket.onclose = ({ code }) => done({ ...told, code })
})
const told = []
for (const attempt of ATTEMPTS) told.push(await opening(attempt))";

/// The example, a service that chooses a protocol by itself, and the page that opens them.
fn site(sessions: &Sessions<HookedStore>, attempts: &Value) -> (Router, Told) {
    let (page, told) = page(&PAGE.replace("ATTEMPTS", &attempts.to_string()));
    (app(sessions).merge(chat(sessions)).merge(page), told)
}

fn chat(sessions: &Sessions<HookedStore>) -> Router {
    let layer =
        SessionLayer::new(sessions.clone()).with_sources([TokenSource::websocket_protocol()]);
    let greet = any(async |upgrade: WebSocketUpgrade| {
        upgrade.protocols(["chat"]).on_upgrade(async |mut socket| {
            let _ = socket.send("welcome".into()).await;
            while socket.recv().await.is_some() {}
        })
    });
    Router::new().route("/chat", greet).route_layer(layer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_opens_a_socket_with_its_token_among_the_protocols_or_in_the_query() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let (token, over) = (log_in(&sessions).await, log_in(&sessions).await);
    let session = sessions.check(&over).await.unwrap();
    sessions.kick_out(&session).await.unwrap();

    let opened =
        |protocol| json!({ "protocol": protocol, "heard": r#"{"openid":"alice"}"#, "code": 1000 });
    let refused = json!({ "error": true, "code": 1006 });
    let welcome = json!({ "protocol": "chat", "heard": "welcome", "code": 1000 });
    let [usual, upper, lower] = encoded(&token);
    let rows = [
        (json!(["/ws", ["bearer", token]]), opened("bearer")),
        (
            json!(["/ws", ["v2", "bearer", token, "v1"]]),
            opened("bearer"),
        ),
        (json!(["/chat", ["chat", "bearer", token]]), welcome),
        (json!([format!("/ws?token={token}"), []]), opened("")),
        (json!([format!("/ws?token={usual}"), []]), opened("")),
        (json!([format!("/ws?token={upper}"), []]), opened("")),
        (json!([format!("/ws?token={lower}"), []]), opened("")),
        (json!(["/ws", ["bearer", over]]), refused.clone()),
        (json!([format!("/ws?token={over}"), []]), refused.clone()),
        (json!(["/ws", [token]]), refused.clone()),
        (json!(["/ws", []]), refused),
    ];
    let (attempts, expected): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    let (site, told) = site(&sessions, &json!(attempts));
    let server = Server::start(site).await;
    let _browser = Chromium::open(&server.url("/"));
    assert_eq!(told.heard().await, json!(expected));
}

/// Takes TLS connections, and offers HTTP/2 on them.
struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// With a certificate that nobody has signed.
    async fn listen() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = ["127.0.0.1".to_owned()];
        let certificate = rcgen::CertificateParams::new(names).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into());
        let mut config = config.unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            // A browser gives connections up that it does not need.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Tells the version of HTTP by which each socket is opened.
fn tell_versions(site: Router, tell: UnboundedSender<Version>) -> Router {
    site.layer(from_fn(move |request: Request, next: Next| {
        if request.uri().path() == "/ws" {
            tell.send(request.version()).unwrap();
        }
        next.run(request)
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_opens_a_socket_over_http_2() {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let opened =
        |protocol| json!({ "protocol": protocol, "heard": r#"{"openid":"alice"}"#, "code": 1000 });
    let attempts = json!([
        ["/ws", ["bearer", token]],
        [format!("/ws?token={token}"), []],
        ["/ws", []]
    ]);
    let (site, told) = site(&sessions, &attempts);
    let (tell, mut versions) = unbounded_channel();
    let tls = Tls::listen().await;
    let url = format!("https://{}/", tls.local_addr().unwrap());
    let serving = tokio::spawn(axum::serve(tls, tell_versions(site, tell)).into_future());
    let _browser = Chromium::open(&url);
    let expected = json!([opened("bearer"), opened(""), { "error": true, "code": 1006 }]);
    assert_eq!(told.heard().await, expected);
    serving.abort();
    for _ in 0..3 {
        assert_eq!(versions.recv().await, Some(Version::HTTP_2));
    }
}
