//! This project: `SessionLayer` without any feature.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use tokio::time::sleep;
use tower::{Layer, service_fn};
use tower_wx_session::sessions::OutagePolicy;
use tower_wx_session::store::{MemoryStore, SessionStore};
use tower_wx_session::{Session, SessionLayer, Sessions};

use super::{Answer, Contender, handle};
use crate::forgetful::Forgetful;
use crate::requests::Credentials;
use crate::runtime::runtime;
use crate::user::identity;

/// Characters of the header: `Bearer`, a space and a token.
const CREDENTIALS: usize = 70;
/// Uses that the store is told of together.
const USES_AT_ONCE: usize = 128;
/// More than it takes a node to have its link to a store in this process.
const LINK_UP_WITHIN: Duration = Duration::from_millis(200);
/// No session is confirmed with the store while it is measured, as the peers' never are.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// With the store that keeps sessions in memory.
pub(crate) fn new(users: usize) -> Contender {
    contender(MemoryStore::new(), users)
}

/// With a store that takes no memory.
pub(crate) fn without_store(users: usize) -> Contender {
    contender(Forgetful::default(), users)
}

fn contender<S: SessionStore>(store: S, users: usize) -> Contender {
    let sessions = sessions(store, users);
    let credentials = runtime().block_on(log_in(&sessions, users));
    let layer = SessionLayer::new(sessions);
    Contender::new("ours", layer.layer(service_fn(handler)), credentials)
}

pub(crate) async fn handler(request: Request<Bytes>) -> Answer {
    let session = request.extensions().get::<Session>();
    handle(session.map(Session::openid))
}

/// Sessions with room in the cache for all of them, and for the first one.
pub(crate) fn sessions<S: SessionStore>(store: S, users: usize) -> Sessions<S> {
    let capacity = users.max(200_000) as u64 + 1;
    let builder = Sessions::builder(store).cache_capacity(capacity);
    builder
        .fresh_for(FRESH)
        .fresh_for_without_link(FRESH)
        .outage_policy(OutagePolicy::ServeKnown(FRESH))
        .build()
        .expect("settings that go together")
}

/// Issues sessions and uses each of them once. The store is told of a first use, and of the next
/// one a tenth of the idle timeout later: what is measured lies between the two.
pub(crate) async fn log_in<S: SessionStore>(sessions: &Sessions<S>, users: usize) -> Credentials {
    issue(sessions, 1).await;
    // What was issued before the link to the store is up is confirmed once it is.
    sleep(LINK_UP_WITHIN).await;
    let credentials = issue(sessions, users).await;
    use_once(sessions, &credentials).await;
    credentials
}

pub(crate) async fn use_once<S: SessionStore>(sessions: &Sessions<S>, credentials: &Credentials) {
    for (number, value) in credentials.values().enumerate() {
        let token = String::from_utf8_lossy(&value["Bearer ".len()..]);
        sessions.check(&token).await.expect("it is live");
        if number % USES_AT_ONCE == 0 {
            sessions.shutdown().await.expect("the store is up");
        }
    }
    sessions.shutdown().await.expect("the store is up");
}

/// Issues sessions that are not used.
pub(crate) async fn issue<S: SessionStore>(sessions: &Sessions<S>, users: usize) -> Credentials {
    let mut credentials = Credentials::with_capacity(AUTHORIZATION, users * CREDENTIALS);
    for user in 0..users {
        let issued = sessions.issue(identity(user)).await;
        let token = issued.expect("the store is up").token().expose().to_owned();
        credentials.push(&format!("Bearer {token}"));
    }
    credentials
}
