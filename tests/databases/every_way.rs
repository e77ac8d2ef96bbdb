//! Sessions that go through all that a store does with them, alone and with others.

use std::time::Duration;

use futures_util::future::join_all;
use tower_wx_session::store::{
    Insert, Inserted, Loaded, Record, Revoke, RevokeReason, Rotate, SessionStore, Target, Touch,
};
use tower_wx_session::{Identity, SessionId};

const HOUR: Duration = Duration::from_secs(60 * 60);
/// Those that go to the store at once.
const AT_ONCE: usize = 64;

/// Everything once, and then many at once.
pub async fn live_in_every_way(store: &impl SessionStore) {
    let user = user("u");
    let old = keep(store, &user, None).await;
    let rotate = Rotate::new(old, id_of(&user), HOUR);
    store.rotate(rotate).await.unwrap();
    keep(store, &user, Some(2)).await;
    store.list(user.clone()).await.unwrap();
    store.revoke(logout(Target::User(user))).await.unwrap();
    live_together(store).await;
}

async fn live_together(store: &impl SessionStore) {
    let users: Vec<_> = (0..AT_ONCE).map(|n| user(&format!("u{n}"))).collect();
    let ids = join_all(users.iter().map(|user| keep(store, user, None))).await;
    let now = store.now().await.unwrap();
    for loaded in join_all(ids.iter().map(|id| store.load(*id))).await {
        assert!(matches!(loaded, Ok(Loaded::Live(_))), "{loaded:?}");
    }
    let uses = ids.iter().map(|id| store.touch(Touch::new(*id, now, HOUR)));
    for written in join_all(uses).await {
        assert!(written.unwrap() >= Some(now.after(2 * HOUR)));
    }
    let new: Vec<_> = users.iter().map(id_of).collect();
    let rotations = ids.iter().zip(&new);
    let rotations = rotations.map(|(old, new)| store.rotate(Rotate::new(*old, *new, HOUR)));
    for rotated in join_all(rotations).await {
        rotated.unwrap();
    }
    let ends = join_all(new.iter().map(|id| store.revoke(logout(*id)))).await;
    for (ended, id) in ends.into_iter().zip(new) {
        assert_eq!(ended.unwrap(), [id]);
    }
}

async fn keep(store: &impl SessionStore, user: &Identity, cap: Option<usize>) -> SessionId {
    let (id, now) = (id_of(user), store.now().await.unwrap());
    let record = Record::issued(user.clone(), now, 24 * HOUR, HOUR, None);
    let mut insert = Insert::new(id, record);
    insert.cap = cap;
    let inserted = store.insert(insert).await.unwrap();
    assert!(matches!(inserted, Inserted::Kept(_)));
    id
}

fn user(name: &str) -> Identity {
    Identity::new("wx4f4bc4dec97d474b", name)
}

fn id_of(user: &Identity) -> SessionId {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes).unwrap();
    bytes[..2].copy_from_slice(&user.bucket());
    SessionId::from_bytes(bytes)
}

fn logout(target: impl Into<Target>) -> Revoke {
    Revoke::new(target, RevokeReason::LoggedOut)
}
