//! The link that tells of changes.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use tower_wx_session::SessionId;
use tower_wx_session::store::{FeedEvent, Loaded, PostgresStore, SessionStore, StoreError};

use crate::support::errors::texts;
use crate::support::feed::{beats, ended, next};
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::{PostgresServer, client};

pub const SECOND: Duration = Duration::from_secs(1);

/// A store, and a link that goes another way.
pub fn store_with_link(url: &str, link_url: &str) -> PostgresStore {
    PostgresStore::builder(url)
        .link_url(link_url)
        .build()
        .unwrap()
}

pub fn store(url: &str) -> PostgresStore {
    PostgresStore::builder(url).build().unwrap()
}

/// Some session.
pub fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 18])
}

#[tokio::test]
async fn a_link_beats_with_the_server_s_time() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let mut feed = store(&url).subscribe().await.unwrap();
    let start = Instant::now();
    let first = beats(&mut feed).await;
    assert!(start.elapsed() < SECOND / 4, "the first beat comes at once");
    let second = beats(&mut feed).await;
    let between = second.since(first);
    assert!((400..1500).contains(&between.as_millis()), "{between:?}");
    let clock = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let row = client(&url).await.query_one(clock, &[]).await.unwrap();
    let late = row.get::<_, i64>(0) - second.as_millis() as i64;
    assert!((0..1000).contains(&late), "{late} ms");
}

/// Announces payloads in one transaction.
pub async fn announce(url: &str, payloads: &[String]) {
    let announce = "SELECT pg_notify('wxs_changes', payload) FROM unnest($1::text[]) AS payload";
    client(url)
        .await
        .query(announce, &[&payloads])
        .await
        .unwrap();
}

/// What names sessions, as every release writes it.
pub fn payload(ids: &[SessionId]) -> String {
    let names = ids.iter().map(ToString::to_string);
    format!("\u{1}{}", names.collect::<String>())
}

#[tokio::test]
async fn a_link_tells_of_what_is_announced_in_its_database_and_nothing_else() {
    let server = PostgresServer::shared().await;
    let (url, other) = (server.database().await, server.database().await);
    let mut feed = store(&url).subscribe().await.unwrap();
    announce(&other, &[payload(&[id(1)])]).await;
    client(&url)
        .await
        .batch_execute("NOTIFY wxs")
        .await
        .unwrap();
    announce(&url, &[payload(&[id(2), id(3)])]).await;
    let told = loop {
        if let FeedEvent::Changed(told) = next(&mut feed).await.unwrap() {
            break told;
        }
    };
    assert_eq!(told, [id(2), id(3)]);
}

#[tokio::test]
async fn a_payload_that_is_not_understood_ends_the_link() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let mut feed = store(&url).subscribe().await.unwrap();
    beats(&mut feed).await;
    announce(&url, &["\u{2}of a newer release".to_owned()]).await;
    assert!(ended(&mut feed).await < SECOND / 4);
}

#[tokio::test]
async fn a_node_that_falls_behind_loses_its_link() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let mut feed = store(&url).subscribe().await.unwrap();
    let ids = (0..1100u32).map(|number| {
        let mut bytes = [0; 18];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        payload(&[SessionId::from_bytes(bytes)])
    });
    announce(&url, &ids.collect::<Vec<_>>()).await;
    sleep(SECOND / 4).await;
    assert!(ended(&mut feed).await < SECOND / 4);
}

/// Opens a link, loses it, and measures how soon that is noticed.
async fn lost(store: &PostgresStore, how: &str, lose: impl AsyncFnOnce()) {
    let mut feed = store.subscribe().await.unwrap();
    beats(&mut feed).await;
    lose().await;
    let start = Instant::now();
    ended(&mut feed).await;
    let took = start.elapsed();
    println!("{how}: the link ended after {took:.1?}");
    assert!(took < 2 * SECOND, "{took:?}");
}

#[tokio::test]
async fn a_link_whose_connection_is_lost_ends() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let client = client(&url).await;
    lost(&store(&url), "connection killed", async || {
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND query LIKE '%LISTEN%' AND pid <> pg_backend_pid()";
        assert_eq!(client.query(kill, &[]).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_link_whose_connection_hangs_ends_while_the_store_is_well() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let bouncer = PgBouncer::start(&server, "session").await;
    let store = store_with_link(&url, &bouncer.url_of(&url));
    lost(&store, "connection frozen", async || bouncer.pause()).await;
    bouncer.resume();
    let mut again = store.subscribe().await.unwrap();
    beats(&mut again).await;
}

#[tokio::test]
async fn a_link_to_a_server_that_hangs_or_dies_ends() {
    let server = PostgresServer::start().await;
    let store = store(&server.url());
    lost(&store, "server frozen", async || server.pause()).await;
    server.resume();
    lost(&store, "server killed", async || server.kill()).await;
}

/// Has a transaction announce something, and wait for a standby that is not there.
const HANG: &str =
    "BEGIN; SET LOCAL synchronous_commit = on; CREATE TABLE t (); NOTIFY wxs_changes; COMMIT";

/// Commits that wait for a standby have all that is announced wait behind them.
#[tokio::test]
async fn a_link_ends_while_a_commit_hangs_that_announces() {
    let settings = [
        "synchronous_standby_names=nobody",
        "synchronous_commit=local",
    ];
    let server = PostgresServer::start_with(&settings).await;
    let store = store(&server.url());
    let hanging = server.client().await;
    lost(&store, "commit hangs", async || {
        tokio::spawn(async move { hanging.batch_execute(HANG).await });
    })
    .await;
}

/// What hangs is what announces. Whoever asks for a link again and again leaves connections for the rest.
#[tokio::test]
#[ignore = "takes its time: ./test runs it"]
async fn reads_go_on_while_a_commit_hangs_that_announces() {
    let settings = [
        "synchronous_standby_names=nobody",
        "synchronous_commit=local",
    ];
    let server = PostgresServer::start_with(&settings).await;
    let store = store(&server.url());
    store.load(id(1)).await.unwrap();
    let hanging = server.client().await;
    tokio::spawn(async move { hanging.batch_execute(HANG).await });
    for _ in 0..8 {
        let opening = timeout(SECOND / 4, store.subscribe()).await;
        assert!(opening.is_err(), "nothing is announced");
        let load = timeout(SECOND / 4, store.load(id(1))).await;
        assert_eq!(load.unwrap().unwrap(), Loaded::NeverSeen);
    }
}

/// What opening a link fails with.
pub async fn refusal(store: &PostgresStore) -> String {
    let error: StoreError = store.subscribe().await.unwrap_err();
    texts(&error)
}

#[tokio::test]
async fn a_link_to_another_server_or_database_is_refused() {
    let (server, other) = (
        PostgresServer::shared().await,
        PostgresServer::start().await,
    );
    let url = server.database().await;
    for elsewhere in [other.url(), server.url()] {
        let refusal = refusal(&store_with_link(&url, &elsewhere)).await;
        assert!(refusal.contains("same server and database"), "{refusal}");
    }
}

#[tokio::test]
async fn a_link_to_a_standby_is_refused() {
    let primary = PostgresServer::start().await;
    let standby = primary.standby("other").await;
    let store = store_with_link(&primary.url(), &standby.url());
    let refusal = refusal(&store).await;
    assert!(refusal.contains("it is a standby"), "{refusal}");
}

#[tokio::test]
#[ignore = "takes its time: ./test runs it"]
async fn a_server_that_closes_idle_sessions_keeps_the_link() {
    let server = PostgresServer::start_with(&["idle_session_timeout=700ms"]).await;
    let mut feed = store(&server.url()).subscribe().await.unwrap();
    let start = Instant::now();
    while start.elapsed() < 2 * SECOND {
        beats(&mut feed).await;
    }
}
