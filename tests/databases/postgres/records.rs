//! Sessions to keep.

use std::time::Duration;

use tower_wx_session::store::{
    Insert, Inserted, Loaded, PostgresStore, Record, Revoke, RevokeReason, SessionStore, Target,
};
use tower_wx_session::{Identity, SessionId};

pub const HOUR: Duration = Duration::from_secs(60 * 60);

pub fn user(name: &str) -> Identity {
    Identity::new("wx4f4bc4dec97d474b", name)
}

/// The name of a new session of a user.
pub fn id_of(user: &Identity) -> SessionId {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes).unwrap();
    bytes[..2].copy_from_slice(&user.bucket());
    SessionId::from_bytes(bytes)
}

pub fn store(url: &str) -> PostgresStore {
    PostgresStore::builder(url).build().unwrap()
}

/// A new session, which lasts an hour unused.
pub async fn keep(store: &PostgresStore, user: &Identity) -> SessionId {
    let (id, now) = (id_of(user), store.now().await.unwrap());
    let record = Record::issued(user.clone(), now, 24 * HOUR, HOUR, None);
    let inserted = store.insert(Insert::new(id, record)).await.unwrap();
    assert_eq!(inserted, Inserted::Kept(Vec::new()));
    id
}

pub fn logout(target: impl Into<Target>) -> Revoke {
    Revoke::new(target, RevokeReason::LoggedOut)
}

pub async fn is_live(store: &PostgresStore, id: SessionId) -> bool {
    matches!(store.load(id).await.unwrap(), Loaded::Live(_))
}
