//! axum 0.7: its extractors are of another version, so the session comes out of the extensions.

use std::future::IntoFuture;

use axum_0_7::extract::State;
use axum_0_7::routing::any;
use axum_0_7::{Extension, Router};
use tower_wx_session::Session;

use crate::site::Site;
use crate::support::http::Server;

async fn me(session: Extension<Session>, State(site): State<Site>) -> String {
    site.greet(Some(&session))
}

async fn maybe(session: Option<Extension<Session>>, State(site): State<Site>) -> String {
    site.greet(session.as_deref())
}

pub async fn start(site: Site) -> Server {
    let app = Router::new()
        .route("/me", any(me))
        .route("/maybe", any(maybe))
        .layer(site.layer.clone().with_drained_body::<axum_0_7::body::Body>())
        .with_state(site);
    Server::serving(|listener| axum_0_7::serve(listener, app).into_future()).await
}
