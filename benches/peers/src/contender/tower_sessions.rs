//! tower-sessions with the store of its examples.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::COOKIE;
use tower::{Layer, service_fn};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use super::{Answer, Contender, handle};
use crate::requests::Credentials;
use crate::runtime::runtime;
use crate::user::openid;

pub(crate) fn new(users: usize) -> Contender {
    let store = MemoryStore::default();
    let credentials = runtime().block_on(log_in(&store, users));
    let layer = SessionManagerLayer::new(store);
    Contender::new(
        "tower-sessions",
        layer.layer(service_fn(handler)),
        credentials,
    )
}

async fn handler(request: Request<Bytes>) -> Answer {
    let session = request
        .extensions()
        .get::<Session>()
        .expect("the layer has put it there");
    let user = session.get::<String>("user").await;
    handle(user.ok().flatten().as_deref())
}

async fn log_in(store: &MemoryStore, users: usize) -> Credentials {
    let store = Arc::new(store.clone());
    let mut credentials = Credentials::with_capacity(COOKIE, users * "id=".len());
    for user in 0..users {
        let session = Session::new(None, store.clone(), None);
        session
            .insert("user", openid(user))
            .await
            .expect("it is JSON");
        session.save().await.expect("the store is up");
        let id = session.id().expect("it is saved");
        credentials.push(&format!("id={id}"));
    }
    credentials
}
