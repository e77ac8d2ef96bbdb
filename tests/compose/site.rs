//! A server that the tests of `guide::composing` put layers around.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::routing::get;
use http::Version;
use tower_wx_session::{Session, SessionLayer, Sessions};

use crate::support::http::{Answer, Server, client};
use crate::support::nodes::{log_in, node, store_on_a_clock};
use crate::support::{HookedStore, switchable};

pub type Sessioned = SessionLayer<HookedStore>;

/// A server, a client with a live session, and the switch that takes the store down.
pub struct Site {
    pub server: Server,
    pub client: reqwest::Client,
    pub sessions: Sessions<HookedStore>,
    pub token: String,
    pub is_down: Arc<AtomicBool>,
}

impl Site {
    pub async fn new(app: impl FnOnce(Sessioned) -> Router) -> Self {
        let (clock, store) = store_on_a_clock();
        let (store, is_down) = switchable(store);
        let sessions = node(&store, &clock);
        Self {
            // From another node: this one has to ask the store about it.
            token: log_in(&node(&store, &clock)).await,
            server: Server::start(app(SessionLayer::new(sessions.clone()))).await,
            client: client(Version::HTTP_11),
            sessions,
            is_down,
        }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        self.client.request(method, self.server.url(path))
    }

    /// The answer to nobody.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request("GET", path)).await
    }

    pub async fn get_as_alice(&self, path: &str) -> Answer {
        Answer::to(self.request("GET", path).bearer_auth(&self.token)).await
    }

    /// The statuses of some paths, for nobody and for a user.
    pub async fn answers(&self, rows: &[(&str, u16, u16)]) {
        for (path, nobody, user) in rows {
            assert_eq!(self.get(path).await.status, *nobody, "{path}");
            assert_eq!(self.get_as_alice(path).await.status, *user, "{path}");
        }
    }

    pub async fn preflight(&self) -> Answer {
        let preflight = self.request("OPTIONS", "/me").header("origin", ORIGIN);
        let preflight = preflight
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization");
        Answer::to(preflight).await
    }

    pub async fn grpc(&self) -> Answer {
        let request = self.request("POST", "/me").header("origin", ORIGIN);
        let request = request.header("accept-encoding", "gzip");
        Answer::to(request.header("content-type", "application/grpc-web+proto")).await
    }
}

pub async fn me(session: Session) -> String {
    session.openid().to_owned()
}

pub fn routes() -> Router {
    Router::new().route("/me", get(me).post(me))
}

pub const ORIGIN: &str = "https://shop.example.com";
