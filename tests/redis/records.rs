//! What is kept, and where.

use std::time::Duration;

use tokio::time::sleep;
use tower_wx_session::store::{
    EndReason, FeedEvent, Insert, Inserted, Loaded, PutSessionKey, Record, RedisStore, Retire,
    Revoke, RevokeReason, Rotate, SessionStore, StoreError, StoreErrorKind, Target, Touch,
};
use tower_wx_session::{Identity, SessionId, Sessions};

use super::link::next;
use crate::support::redis::{Client, RedisServer, client, store};

pub const SECOND: Duration = Duration::from_secs(1);
pub const HOUR: Duration = Duration::from_secs(3600);

/// What a caller waits for a store by default.
pub const DEADLINE: Duration = Duration::from_millis(250);

const OPENID: &str = "oGZUI0egBJY1zhBYw2KhdUfwVJJE";

pub fn user() -> Identity {
    Identity::new("wx4f4bc4dec97d474b", OPENID)
}

/// Keeps a session of the user; `number` tells it apart.
pub async fn keep(store: &RedisStore, user: &Identity, number: u8) -> (SessionId, Record) {
    let (insert, record) = new_session(store, user, number).await;
    let id = insert.id;
    assert_eq!(store.insert(insert).await.unwrap(), Inserted::Kept(vec![]));
    (id, record)
}

pub async fn new_session(store: &RedisStore, user: &Identity, number: u8) -> (Insert, Record) {
    let now = store.now().await.unwrap();
    let record = Record::issued(user.clone(), now, 24 * HOUR, HOUR, None);
    (Insert::new(id(user, number), record.clone()), record)
}

pub fn id(user: &Identity, number: u8) -> SessionId {
    let mut bytes = [number; 18];
    bytes[..2].copy_from_slice(&user.bucket());
    SessionId::from_bytes(bytes)
}

pub fn logout(target: impl Into<Target>) -> Revoke {
    Revoke::new(target, RevokeReason::LoggedOut)
}

pub fn kind<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> StoreErrorKind {
    answer.unwrap_err().kind()
}

pub fn put(user: &Identity, key: &[u8]) -> PutSessionKey {
    PutSessionKey::new(user.clone(), key.to_vec(), [1; 16], HOUR, HOUR)
}

/// The one key of which the name contains `part`.
pub async fn key_with(client: &Client, part: &str) -> String {
    let mut keys = client.keys().await;
    keys.retain(|key| key.contains(part));
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.remove(0)
}

#[tokio::test]
async fn names_of_keys_say_nothing_of_users_and_tokens() {
    let server = RedisServer::start().await;
    let store = server.store();
    let sessions = Sessions::builder(store.clone())
        .seal_key([7; 32])
        .build()
        .unwrap();
    let issued = sessions.issue(user()).await.unwrap();
    store
        .put_session_key(put(&user(), b"sealed"))
        .await
        .unwrap();
    let keys = server.client().await.keys().await;
    // The tag keys and their four copies, and one each of the rest.
    assert_eq!(keys.len(), 8, "{keys:?}");
    for key in keys {
        assert!(key.starts_with("wxs:"), "{key}");
        for secret in [
            user().openid(),
            user().appid(),
            &issued.token().expose()[4..],
        ] {
            assert!(!key.contains(secret), "{key}");
        }
    }
}

#[tokio::test]
async fn prefixes_and_databases_are_apart() {
    let server = RedisServer::start().await;
    let other_prefix = RedisStore::builder(&server.url()).prefix("shop").build();
    let stores = [
        server.store(),
        other_prefix.unwrap(),
        store(&(server.url() + "/3")),
    ];
    let (id, _) = keep(&stores[0], &user(), 1).await;
    for other in &stores[1..] {
        assert_eq!(other.load(id).await.unwrap(), Loaded::NeverSeen);
        let mut feed = other.subscribe().await.unwrap();
        keep(other, &user(), 1).await;
        stores[0].revoke(logout(id)).await.unwrap();
        assert!(matches!(
            next(&mut feed).await,
            Some(FeedEvent::Heartbeat(_))
        ));
        assert!(matches!(
            next(&mut feed).await,
            Some(FeedEvent::Heartbeat(_))
        ));
        assert!(matches!(other.load(id).await.unwrap(), Loaded::Live(_)));
    }
    let third = client(&(server.url() + "/3")).await;
    assert_eq!(third.keys().await.len(), 2);
    let keys = server.client().await.keys().await;
    let of_shop = keys.iter().filter(|key| key.starts_with("shop:{"));
    // The index of whoever logged out is looked at with the next login.
    assert_eq!((of_shop.count(), keys.len()), (2, 4));
}

#[tokio::test]
async fn a_damaged_record_is_the_matter_of_its_own_session() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let (damaged, _) = keep(&store, &user(), 1).await;
    let key = key_with(&client, ":s:").await;
    let (good, record) = keep(&store, &user(), 2).await;
    let touch = Touch::new(damaged, record.issued_at, SECOND);

    for damage in [&b""[..], b"\x01", b"rubbish", &[1; 80], &[0; 200]] {
        client.set(&key, damage).await;
        assert_eq!(kind(store.load(damaged).await), StoreErrorKind::Corrupt);
        let rotate = Rotate::new(damaged, id(&user(), 9), SECOND);
        assert_eq!(kind(store.touch(touch).await), StoreErrorKind::Corrupt);
        assert_eq!(kind(store.rotate(rotate).await), StoreErrorKind::Corrupt);
        let list = store.list(user()).await.unwrap();
        assert_eq!(list, [(good, record.clone())]);
    }
    let mut insert = new_session(&store, &user(), 3).await.0;
    (insert.cap, insert.retire) = (Some(2), Some(Retire::new(damaged, HOUR)));
    assert_eq!(store.insert(insert).await.unwrap(), Inserted::Kept(vec![]));
    let again = new_session(&store, &user(), 1).await.0;
    assert_eq!(store.insert(again).await.unwrap(), Inserted::Taken);

    client.set(&key, b"rubbish").await;
    assert_eq!(store.revoke(logout(damaged)).await.unwrap(), [damaged]);
    let loaded = store.load(damaged).await.unwrap();
    assert_eq!(loaded.end_reason(), Some(EndReason::LoggedOut));
    let left: i64 = client.ask(&["PTTL", &key]).await;
    assert!(left > 0, "{left}");

    let () = client.ask(&["DEL", &key]).await;
    let () = client.ask(&["RPUSH", &key, "not", "a", "record"]).await;
    assert_eq!(kind(store.load(damaged).await), StoreErrorKind::Corrupt);
    assert_eq!(store.list(user()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_record_of_a_newer_release_is_kept_out_and_can_be_revoked() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let (newer, record) = keep(&store, &user(), 1).await;
    let key = key_with(&client, ":s:").await;
    let newer_record = [&[2][..], &[7; 100]].concat();
    for target in [Target::from(newer), Target::from(user())] {
        client.set(&key, &newer_record).await;
        let touch = Touch::new(newer, record.issued_at, SECOND);
        assert_eq!(kind(store.load(newer).await), StoreErrorKind::NewerVersion);
        assert_eq!(kind(store.touch(touch).await), StoreErrorKind::NewerVersion);
        assert_eq!(store.list(user()).await.unwrap(), []);
        assert_eq!(store.revoke(logout(target)).await.unwrap(), [newer]);
        let loaded = store.load(newer).await.unwrap();
        assert_eq!(loaded.end_reason(), Some(EndReason::LoggedOut));
    }
}

#[tokio::test]
async fn a_load_is_one_command() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let (id, _) = keep(&store, &user(), 1).await;
    let calls = async || -> u64 {
        let stats: String = client.ask(&["INFO", "stats"]).await;
        let count = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_commands_processed:"));
        count.unwrap().parse().unwrap()
    };
    // The memory policy is asked for beside the first operation.
    sleep(Duration::from_millis(100)).await;
    let before = calls().await;
    for _ in 0..10 {
        store.load(id).await.unwrap();
    }
    assert_eq!(calls().await - before, 11, "ten, and the question itself");
}
