//! Servers whose uploads are refused.

use std::future::IntoFuture;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use tower_wx_session::{Session, SessionLayer};

use crate::patient::{Client, Request};
use crate::support::HookedStore;
use crate::support::http::Server;
use crate::support::world::World;

/// A node: uploads behind the layer, a login and a page outside of it.
pub struct Site {
    _world: World,
    pub server: Server,
    /// Of a session that was ended.
    pub dead: String,
}

impl Site {
    pub async fn start() -> Self {
        Self::start_with(|layer| layer).await
    }

    pub async fn start_with(
        configure: impl FnOnce(SessionLayer<HookedStore>) -> SessionLayer<HookedStore>,
    ) -> Self {
        let world = World::new().await;
        let dead = crate::support::nodes::log_in(&world.sessions).await;
        let user = crate::support::nodes::alice();
        world.sessions.revoke_user(&user).await.unwrap();
        let layer = configure(world.layer());
        let optional = async |_: Session, body: Bytes| body.len().to_string();
        let optional = Router::new()
            .route("/optional", post(optional))
            .layer(world.layer().optional());
        let app = Router::new()
            .route("/upload", post(async |body: Bytes| body.len().to_string()))
            .layer(layer)
            .route_service("/login", world.login())
            .route("/page", get("open to everyone"))
            .merge(optional);
        let server = Server::serving(|listener| axum::serve(listener, app).into_future()).await;
        Self {
            _world: world,
            server,
            dead,
        }
    }

    pub fn port(&self) -> u16 {
        let url = self.server.url("");
        url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// An upload with the dead token.
    pub fn dead(&self, prefix: &str, length: usize) -> Request {
        Request::post(format!("{prefix}/upload"), length)
            .with("authorization", format!("Bearer {}", self.dead))
    }

    /// Sizes and numbers of what is sent: all of it has to be refused so that the client sees it.
    pub fn refused(&self, prefix: &str) -> Vec<(Request, &'static str)> {
        let mut requests = Vec::new();
        for (length, times) in [
            (20_000, 6),
            (64_000, 6),
            (300_000, 6),
            (2_000_000, 6),
            (20_000_000, 1),
        ] {
            for _ in 0..times {
                let missing = Request::post(format!("{prefix}/upload"), length);
                requests.push((self.dead(prefix, length), "session_revoked"));
                requests.push((missing, "session_missing"));
            }
        }
        for _ in 0..4 {
            let login = Request::post(format!("{prefix}/login"), 300_000);
            let put = Request {
                method: "PUT",
                ..login.clone()
            };
            let appid = login.clone().with("x-wx-appid", "\u{e4}");
            requests.extend([login, put, appid].map(|login| (login, "bad_request")));
        }
        requests
    }
}

/// Sends them all, each on a connection of its own or on one that is kept; gives the number of
/// refusals that the client did not see.
pub async fn lost(port: u16, requests: Vec<(Request, &'static str)>, keeps_alive: bool) -> usize {
    let sending = move || {
        let mut client = Client::new(port);
        let mut lost = 0;
        for (request, reason) in requests {
            if !keeps_alive {
                client = Client::new(port);
            }
            let answer = client.send(&request);
            let reason = format!(r#""reason":"{reason}""#);
            let is_seen = answer.as_ref().is_ok_and(|answer| {
                matches!(answer.status, 400 | 401 | 405) && answer.body.contains(&reason)
            });
            lost += usize::from(!is_seen);
        }
        lost
    };
    tokio::task::spawn_blocking(sending).await.unwrap()
}
