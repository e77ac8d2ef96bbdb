//! The tables: who makes them, and who may work with them.

use tokio::task::JoinSet;
use tower_wx_session::store::{
    Insert, Loaded, PostgresStore, PutSessionKey, Record, Rotate, Rotated, SessionStore, TagKey,
    Touch,
};

use super::records::{HOUR, id_of, is_live, keep, logout, store, user};
use crate::support::errors::texts;
use crate::support::postgres::{PostgresServer, client};

fn schema() -> String {
    PostgresStore::builder("postgres://h/d").schema().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_that_start_together_make_the_tables_once() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let mut starts = JoinSet::new();
    for n in 0..16 {
        let store = store(&url);
        starts.spawn(async move { keep(&store, &user(&n.to_string())).await });
    }
    let ids = starts.join_all().await;
    let last = store(&url);
    for id in ids {
        assert!(is_live(&last, id).await);
    }
}

#[tokio::test]
async fn the_statements_for_the_tables_do_no_harm_where_they_are_there() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let client = client(&url).await;
    client.batch_execute(&schema()).await.unwrap();
    let store = store(&url);
    let id = keep(&store, &user("u")).await;
    client.batch_execute(&schema()).await.unwrap();
    assert!(is_live(&store, id).await);
}

#[tokio::test]
async fn who_may_not_make_tables_works_with_those_that_are_there() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let owner = client(&url).await;
    let create = "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN";
    owner.batch_execute(create).await.unwrap();
    let guest = store(&url.replace("postgres@", "guest@"));
    let says = async || texts(&guest.now().await.unwrap_err());
    assert!(says().await.contains("PostgresStoreBuilder::schema"));

    owner.batch_execute(&schema()).await.unwrap();
    let error = says().await;
    assert!(error.contains("the user lacks a right"), "{error}");
    let grants = "GRANT SELECT ON wxs_schema TO guest; \
        GRANT SELECT, INSERT, UPDATE, DELETE ON wxs_sessions, wxs_session_keys, wxs_tag_keys TO guest";
    owner.batch_execute(grants).await.unwrap();
    everything_works(&guest).await;
    let clean_up = "DROP OWNED BY guest; DROP ROLE guest";
    drop(guest);
    owner.batch_execute(clean_up).await.unwrap();
}

async fn everything_works(store: &PostgresStore) {
    let user = user("guest");
    let mut feed = store.subscribe().await.unwrap();
    let id = keep(store, &user).await;
    assert!(feed.next().await.is_some());
    let now = store.now().await.unwrap();
    let touch = Touch::new(id, now, HOUR);
    assert_eq!(store.touch(touch).await.unwrap(), Some(now.after(2 * HOUR)));
    let new = id_of(&user);
    let rotated = store.rotate(Rotate::new(id, new, HOUR)).await.unwrap();
    assert!(matches!(rotated, Rotated::Done(_)));
    let record = Record::issued(user.clone(), now, HOUR, HOUR, None);
    let mut insert = Insert::new(id_of(&user), record);
    insert.cap = Some(1);
    store.insert(insert).await.unwrap();
    assert_eq!(store.list(user.clone()).await.unwrap().len(), 1);
    assert_eq!(store.revoke(logout(&user)).await.unwrap().len(), 2);
    let put = PutSessionKey::new(user.clone(), vec![1], [1; 16], HOUR, HOUR);
    store.put_session_key(put).await.unwrap();
    assert_eq!(store.session_keys(user).await.unwrap(), [[1]]);
    let offer = TagKey::new(1, [1; 16]);
    assert_eq!(store.tag_keys(offer.clone()).await.unwrap(), [offer]);
    store.writable([0, 0]).await.unwrap();
}

#[tokio::test]
async fn tables_of_a_newer_release_are_used_only_if_they_say_so() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let client = client(&url).await;
    client.batch_execute(&schema()).await.unwrap();
    let newer = "INSERT INTO wxs_schema VALUES (2, 1)";
    client.batch_execute(newer).await.unwrap();
    keep(&store(&url), &user("u")).await;
    let newer = "INSERT INTO wxs_schema VALUES (3, 2)";
    client.batch_execute(newer).await.unwrap();
    let error = texts(&store(&url).now().await.unwrap_err());
    assert!(error.contains("version 3 of a newer release"), "{error}");
}

#[tokio::test]
async fn tables_that_are_lost_are_made_again() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let id = keep(&store, &user("u")).await;
    let client = client(&url).await;
    let all = "wxs_sessions, wxs_session_keys, wxs_tag_keys, wxs_schema";
    for tables in [all, "wxs_sessions"] {
        let drop = format!("DROP TABLE {tables}");
        client.batch_execute(&drop).await.unwrap();
        let error = texts(&store.load(id).await.unwrap_err());
        assert!(error.contains("a table of the store is missing"), "{error}");
        // One of the connections that are left finds it out; the next one makes them.
        let lost = Loaded::NeverSeen;
        assert_eq!(store.load(id).await.unwrap(), lost);
        keep(&store, &user("u")).await;
    }
}

#[tokio::test]
async fn two_prefixes_in_a_database_have_nothing_to_do_with_each_other() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let other = PostgresStore::builder(&url).prefix("shop").build().unwrap();
    let store = store(&url);
    let user = user("u");
    let id = keep(&store, &user).await;
    assert_eq!(other.load(id).await.unwrap(), Loaded::NeverSeen);
    assert_eq!(other.revoke(logout(&user)).await.unwrap(), []);
    assert!(is_live(&store, id).await);
}
