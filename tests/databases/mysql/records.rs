//! Sessions to keep.

use std::time::Duration;

use tower_wx_session::store::{
    Insert, Inserted, MySqlStore, Record, Revoke, RevokeReason, SessionStore, StoreError, Target,
    Touch,
};
use tower_wx_session::{Identity, SessionId};

use crate::support::errors::texts;

pub const SECOND: Duration = Duration::from_secs(1);
pub const HOUR: Duration = Duration::from_secs(3600);
/// What a caller waits for a store by default.
pub const DEADLINE: Duration = Duration::from_millis(250);

pub fn user() -> Identity {
    named("oGZUI0egBJY1zhBYw2KhdUfwVJJE")
}

pub fn named(openid: &str) -> Identity {
    Identity::new("wx4f4bc4dec97d474b", openid)
}

/// Keeps a session of the user; `number` tells it apart.
pub async fn keep(store: &MySqlStore, user: &Identity, number: u8) -> SessionId {
    let insert = new_session(store, user, number).await;
    let id = insert.id;
    assert_eq!(store.insert(insert).await.unwrap(), Inserted::Kept(vec![]));
    id
}

pub async fn new_session(store: &MySqlStore, user: &Identity, number: u8) -> Insert {
    let now = store.now().await.unwrap();
    let record = Record::issued(user.clone(), now, 24 * HOUR, HOUR, None);
    Insert::new(id(user, number), record)
}

pub fn id(user: &Identity, number: u8) -> SessionId {
    let mut bytes = [number; 18];
    bytes[..2].copy_from_slice(&user.bucket());
    SessionId::from_bytes(bytes)
}

pub fn logout(target: impl Into<Target>) -> Revoke {
    Revoke::new(target, RevokeReason::LoggedOut)
}

/// A use of the session now, which has to be written.
pub async fn use_of(store: &MySqlStore, id: SessionId) -> Touch {
    Touch::new(id, store.now().await.unwrap(), HOUR / 10)
}

/// All that an error says.
pub fn told<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    texts(&answer.unwrap_err())
}

#[track_caller]
pub fn holds(told: &str, advice: &str) {
    assert!(told.contains(advice), "{advice:?} is not in {told}");
}

/// Bytes as a literal of SQL.
pub fn literal(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    format!("x'{}'", digits.collect::<String>())
}
