//! axum 0.8.

use std::future::IntoFuture;

use axum::Router;
use axum::extract::State;
use axum::routing::any;
use tower_wx_session::Session;

use crate::site::Site;
use crate::support::http::Server;

async fn me(session: Session, State(site): State<Site>) -> String {
    site.greet(Some(&session))
}

async fn maybe(session: Option<Session>, State(site): State<Site>) -> String {
    site.greet(session.as_ref())
}

pub async fn start(site: Site) -> Server {
    let app = Router::new()
        .route("/me", any(me))
        .route("/maybe", any(maybe))
        .layer(site.layer.clone())
        .with_state(site);
    Server::serving(|listener| axum::serve(listener, app).into_future()).await
}
