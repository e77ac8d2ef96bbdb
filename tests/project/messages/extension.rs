use axum::{Extension, Router, routing::get};
use tower_wx_session::{Session, SessionLayer, Sessions, store::MemoryStore};

fn main() {
    let handler = async |Extension(session): Extension<Session>| session.openid().to_owned();
    let _: Router = Router::new()
        .route("/me", get(handler))
        .route_layer(SessionLayer::new(Sessions::new(MemoryStore::new())));
}
