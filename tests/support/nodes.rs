//! Nodes of a fleet in one process, on a clock that the test moves.

use tower_wx_session::sessions::SessionsBuilder;
use tower_wx_session::store::{MemoryStore, SessionStore};
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::{Identity, RejectionKind, Sessions};

use super::HookedStore;

/// A clock, and a memory store on it.
pub fn store_on_a_clock() -> (ManualClock, HookedStore) {
    let clock = ManualClock::new();
    let store = HookedStore::new(MemoryStore::with_clock(clock.clone()));
    (clock, store)
}

/// Sessions that a node's cache has room for: more than tests have, and little to make and to throw
/// away, which is slow in a build that is not optimised.
pub const ROOM: u64 = 5000;

/// A node with default settings, but for the size of its cache.
pub fn node<S: SessionStore + Clone>(store: &S, clock: &ManualClock) -> Sessions<S> {
    node_with(store, clock, |builder| builder)
}

/// A node with settings of its own.
pub fn node_with<S: SessionStore + Clone>(
    store: &S,
    clock: &ManualClock,
    configure: impl FnOnce(SessionsBuilder<S>) -> SessionsBuilder<S>,
) -> Sessions<S> {
    let builder = Sessions::builder(store.clone()).clock(clock.clone());
    configure(builder.cache_capacity(ROOM)).build().unwrap()
}

/// A node in real time.
pub fn node_in_real_time<S: SessionStore>(store: S) -> Sessions<S> {
    let builder = Sessions::builder(store).cache_capacity(ROOM);
    builder.build().unwrap()
}

pub fn alice() -> Identity {
    Identity::new("appid", "alice")
}

/// Issues a session and returns its token.
pub async fn log_in<S: SessionStore>(sessions: &Sessions<S>) -> String {
    let issued = sessions.issue(alice()).await.unwrap();
    issued.token().expose().to_owned()
}

/// What a check of `token` comes to: `None` for a live session.
pub async fn refusal<S: SessionStore>(
    sessions: &Sessions<S>,
    token: &str,
) -> Option<RejectionKind> {
    sessions
        .check(token)
        .await
        .err()
        .map(|rejection| rejection.kind())
}

/// Lets the background tasks of the current-thread runtime run until they have nothing to do.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
