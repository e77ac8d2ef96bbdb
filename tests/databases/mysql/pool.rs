//! Connections: how they are set up, and what operations leave behind that nobody waits for any longer.

use std::time::Instant;

use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_wx_session::store::{
    EndReason, Loaded, MySqlStore, Record, Rotate, Rotated, SessionStore,
};

use super::records::{DEADLINE, HOUR, SECOND, id, keep, logout, named, new_session, use_of, user};
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
    let lock = "SELECT * FROM wxs_sessions FOR UPDATE";
    holder.query_drop(lock).await.unwrap();
    let lock = "SELECT * FROM wxs_users FOR UPDATE";
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
    // Nothing that was given up stays in the way at the server, where one of them may have been done by now.
    let ended = timeout(5 * SECOND, store.revoke(logout(session))).await;
    ended.unwrap().unwrap();
    assert!(store.load(session).await.unwrap().end_reason().is_some());
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

/// Waits until a statement of the store takes so long that it waits for a lock.
pub async fn waiting(url: &str) {
    let mut client = client(url).await;
    let select = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() \
         AND id <> CONNECTION_ID() AND command <> 'Sleep' AND time_ms > 100";
    let start = Instant::now();
    while client.query_first::<u32, _>(select).await.unwrap() == Some(0) {
        assert!(start.elapsed() < 20 * SECOND, "nobody waits");
        sleep(SECOND / 50).await;
    }
}

/// The isolation of the transaction that waits for a lock. Whoever asks again within 0.1 s is told the same again.
async fn isolation(url: &str) -> String {
    let mut client = client(url).await;
    let select = "SELECT trx_isolation_level FROM information_schema.innodb_trx \
         WHERE trx_state = 'LOCK WAIT'";
    client.query_first(select).await.unwrap().unwrap()
}

#[tokio::test]
async fn no_setting_of_the_server_matters() {
    let server = MariaDb::start_with(&[
        "transaction-isolation=SERIALIZABLE",
        "default-time-zone=-11:00",
        "innodb-lock-wait-timeout=50",
        "autocommit=0",
        "completion-type=CHAIN",
        "sql-mode=ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH",
    ])
    .await;
    let url = server.database().await;
    let store = narrow(&url);
    let now = store.now().await.unwrap();
    let since = std::time::SystemTime::now().duration_since(now.into());
    assert!(since.is_ok_and(|since| since < 2 * SECOND), "{now:?}");
    // On the connection of a transaction that has just ended.
    store.revoke(logout(named("nobody"))).await.unwrap();
    let kept = keep(&store, &named("somebody"), 1).await;
    let seen = narrow(&url).load(kept).await.unwrap();
    assert!(matches!(seen, Loaded::Live(_)), "others see it: {seen:?}");

    let mut holder = client(&url).await;
    for is_let_go in [true, true, false] {
        let session = keep(&store, &user(), 2 + u8::from(is_let_go)).await;
        holder.query_drop("START TRANSACTION").await.unwrap();
        let lock = "SELECT * FROM wxs_sessions FOR UPDATE";
        holder.query_drop(lock).await.unwrap();
        let revoking = {
            let store = store.clone();
            tokio::spawn(async move { store.revoke(logout(session)).await })
        };
        waiting(&url).await;
        assert_eq!(isolation(&url).await, "READ COMMITTED");
        if is_let_go {
            holder.query_drop("ROLLBACK").await.unwrap();
            assert_eq!(revoking.await.unwrap().unwrap(), [session]);
            store.revoke(logout(user())).await.unwrap();
            holder.query_drop("DELETE FROM wxs_sessions").await.unwrap();
            holder.query_drop("COMMIT").await.unwrap();
        } else {
            let given_up = timeout(10 * SECOND, revoking).await.unwrap();
            assert!(given_up.unwrap().is_err(), "far from 50 s");
        }
    }
}

#[tokio::test]
async fn the_time_is_that_behind_the_wait_for_a_lock() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = narrow(&url);
    let mut insert = new_session(&store, &user(), 1).await;
    let now = insert.record.issued_at;
    insert.record = Record::issued(user(), now, 24 * HOUR, SECOND * 3 / 4, None);
    let (old, end) = (insert.id, insert.record.idle_deadline);
    store.insert(insert).await.unwrap();
    // Makes the row of the user.
    store.revoke(logout(id(&user(), 9))).await.unwrap();
    let mut holder = client(&url).await;
    holder.query_drop("START TRANSACTION").await.unwrap();
    let lock = "UPDATE wxs_sessions SET last_used = last_used";
    holder.query_drop(lock).await.unwrap();
    let rotating = {
        let (store, rotate) = (store.clone(), Rotate::new(old, id(&user(), 2), HOUR));
        tokio::spawn(async move { store.rotate(rotate).await })
    };
    waiting(&url).await;
    assert!(store.now().await.unwrap() < end, "it began in time");
    eventually("the session to end", async || {
        store.now().await.unwrap() >= end
    })
    .await;
    holder.query_drop("COMMIT").await.unwrap();
    let rotated = rotating.await.unwrap().unwrap();
    assert_eq!(rotated, Rotated::Ended(EndReason::Idle));
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
