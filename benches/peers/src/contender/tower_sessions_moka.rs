//! tower-sessions with its moka store in front of its memory store.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::COOKIE;
use tower::{Layer, service_fn};
use tower_sessions_0_14::{CachingSessionStore, MemoryStore, Session, SessionManagerLayer};
use tower_sessions_moka_store::MokaStore;

use super::{Answer, Contender, handle};
use crate::requests::Credentials;
use crate::runtime::runtime;
use crate::user::openid;

type Store = CachingSessionStore<MokaStore, MemoryStore>;

pub(crate) fn new(users: usize) -> Contender {
    let cache = MokaStore::new(Some(users.max(200_000) as u64));
    let store = Store::new(cache, MemoryStore::default());
    let credentials = runtime().block_on(log_in(&store, users));
    let layer = SessionManagerLayer::new(store);
    let service = layer.layer(service_fn(handler));
    Contender::new("tower-sessions + moka", service, credentials)
}

async fn handler(request: Request<Bytes>) -> Answer {
    let session = request
        .extensions()
        .get::<Session>()
        .expect("the layer has put it there");
    let user = session.get::<String>("user").await;
    handle(user.ok().flatten().as_deref())
}

async fn log_in(store: &Store, users: usize) -> Credentials {
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
