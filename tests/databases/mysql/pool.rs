//! Connections: how they are set up, and what operations leave behind that nobody waits for any longer.

use std::time::Instant;

use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_wx_session::store::{Loaded, MySqlStore, SessionStore};

use super::records::{DEADLINE, SECOND, id, keep, logout, named, new_session, use_of, user};
use crate::support::eventually::eventually;
use crate::support::mariadb::{MariaDb, client};

fn narrow(url: &str) -> MySqlStore {
    MySqlStore::builder(url).connections(2).build().unwrap()
}

#[tokio::test]
async fn operations_that_were_given_up_on_a_lock_hold_nobody_up() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = narrow(&url);
    let session = keep(&store, &user(), 1).await;
    store.revoke(logout(named("nobody"))).await.unwrap();
    let mut holder = client(&url).await;
    let isolation = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    holder.query_drop(isolation).await.unwrap();
    holder.query_drop("START TRANSACTION").await.unwrap();
    let lock = "SELECT * FROM wxs_session FOR UPDATE";
    holder.query_drop(lock).await.unwrap();
    let lock = "SELECT * FROM wxs_user FOR UPDATE";
    holder.query_drop(lock).await.unwrap();

    let mut given_up = JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        given_up.spawn(async move { timeout(DEADLINE, store.revoke(logout(session))).await });
    }
    let given_up = given_up.join_all().await;
    assert!(given_up.iter().all(Result::is_err), "all of them wait");
    let start = Instant::now();
    assert!(matches!(
        store.load(session).await.unwrap(),
        Loaded::Live(_)
    ));
    keep(&store, &named("another"), 2).await;
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    holder.query_drop("ROLLBACK").await.unwrap();
    // Nothing that was given up stays in the way at the server.
    let ended = timeout(5 * SECOND, store.revoke(logout(session))).await;
    assert_eq!(ended.unwrap().unwrap(), [session]);
}

#[tokio::test]
async fn a_server_that_was_frozen_serves_at_once_when_it_is_back() {
    let server = MariaDb::start().await;
    let url = server.database().await;
    let store = narrow(&url);
    let session = keep(&store, &user(), 1).await;
    let touch = use_of(&store, session).await;
    server.pause();
    let start = Instant::now();
    while start.elapsed() < 3 * SECOND {
        let mut given_up = JoinSet::new();
        for number in 0..10 {
            let store = store.clone();
            given_up.spawn(async move {
                let operation = async {
                    match number % 3 {
                        0 => drop(store.load(session).await),
                        1 => drop(store.touch(touch).await),
                        _ => drop(store.revoke(logout(named("nobody"))).await),
                    }
                };
                timeout(DEADLINE, operation).await
            });
        }
        given_up.join_all().await;
    }
    server.resume();
    let start = Instant::now();
    eventually("a load", async || {
        let loaded = timeout(DEADLINE, store.load(session)).await;
        matches!(loaded, Ok(Ok(Loaded::Live(_))))
    })
    .await;
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
    let ended = timeout(2 * SECOND, store.revoke(logout(session))).await;
    assert_eq!(ended.unwrap().unwrap(), [session]);
}

#[tokio::test]
async fn a_login_that_is_dropped_in_the_middle_leaves_no_lock() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = narrow(&url);
    keep(&store, &user(), 1).await;
    let mut insert = new_session(&store, &user(), 2).await;
    insert.cap = Some(5);
    for micros in (0..4000).step_by(100) {
        let login = store.insert(insert.clone());
        let patience = std::time::Duration::from_micros(micros);
        let _ = timeout(patience, login).await;
    }
    let start = Instant::now();
    insert.id = id(&user(), 3);
    timeout(2 * SECOND, store.insert(insert))
        .await
        .unwrap()
        .unwrap();
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
}

#[tokio::test]
async fn connections_are_found_dead_and_replaced() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = narrow(&url);
    let session = keep(&store, &user(), 1).await;
    let mut client = client(&url).await;
    for _ in 0..3 {
        let own = client.id();
        let select = format!(
            "SELECT id FROM information_schema.processlist WHERE id <> {own} AND db = DATABASE()"
        );
        let others: Vec<u32> = client.query(select).await.unwrap();
        assert!(!others.is_empty());
        for other in others {
            let _ = client.query_drop(format!("KILL {other}")).await;
        }
        let loaded = store.load(session).await.unwrap();
        assert!(matches!(loaded, Loaded::Live(_)));
        store.revoke(logout(named("nobody"))).await.unwrap();
    }
}

#[test]
fn a_store_outlives_the_runtimes_it_is_used_in() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let server = first.block_on(MariaDb::shared());
    let store = narrow(&first.block_on(server.database()));
    let session = first.block_on(keep(&store, &user(), 1));
    drop(first);
    for _ in 0..3 {
        let next = runtime();
        let loaded = next.block_on(store.load(session)).unwrap();
        assert!(matches!(loaded, Loaded::Live(_)));
        let touch = next.block_on(use_of(&store, session));
        assert!(next.block_on(store.touch(touch)).unwrap().is_some());
    }
}
