//! A server that hangs, dies or is full, and what others lock in it.

use std::process::Command;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_wx_session::store::{Insert, PostgresStore, Record, SessionStore, Touch};

use super::records::{HOUR, id_of, is_live, keep, logout, store, user};
use crate::support::errors::texts;
use crate::support::eventually::eventually;
use crate::support::postgres::{PostgresServer, as_nobody, client};

/// What nodes give a store.
const DEADLINE: Duration = Duration::from_millis(250);
const OURS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tower-wx-session' \
    AND datname = current_database()";

/// How many connections of stores a database has, in this state if any.
async fn connections(url: &str, and: &str) -> i64 {
    let count = format!("{OURS} {and}");
    let row = client(url).await.query_one(&count, &[]).await.unwrap();
    row.get(0)
}

/// Operations of all kinds whose callers give up.
async fn give_up(store: &PostgresStore, rounds: usize) {
    let user = user("u");
    for _ in 0..rounds {
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            let (store, user) = (store.clone(), user.clone());
            let id = id_of(&user);
            callers.spawn(async move {
                let revoked = timeout(DEADLINE, store.revoke(logout(&user)));
                let loaded = timeout(DEADLINE, store.load(id));
                let told = timeout(DEADLINE, store.now());
                let (a, b, c) = tokio::join!(revoked, loaded, told);
                assert!(a.is_err() && b.is_err() && c.is_err(), "nobody answers");
            });
        }
        let start = Instant::now();
        callers.join_all().await;
        assert!(start.elapsed() < 4 * DEADLINE, "nobody waits for longer");
    }
}

#[tokio::test]
async fn a_frozen_server_holds_nobody_up_and_is_used_again() {
    let server = PostgresServer::start().await;
    let store = store(&server.url());
    let id = keep(&store, &user("u")).await;
    server.pause();
    give_up(&store, 3).await;
    server.resume();
    let start = Instant::now();
    eventually("the server to be used", async || {
        timeout(DEADLINE, is_live(&store, id)).await.is_ok()
    })
    .await;
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(connections(&server.url(), "").await <= 8);
    let left = "AND state LIKE 'idle in transaction%'";
    eventually("transactions to end", async || {
        connections(&server.url(), left).await == 0
    })
    .await;
}

#[tokio::test]
async fn a_killed_server_fails_at_once_and_is_found_again() {
    let server = PostgresServer::start().await;
    let store = store(&server.url());
    let id = keep(&store, &user("u")).await;
    server.kill();
    for _ in 0..3 {
        let start = Instant::now();
        store.load(id).await.unwrap_err();
        assert!(start.elapsed() < DEADLINE);
    }
    server.restart().await;
    assert!(is_live(&store, id).await, "acknowledged, so it is there");
}

#[tokio::test]
async fn a_lock_on_a_table_does_not_fill_the_server_with_connections() {
    lock_tables_for(Duration::from_secs(3)).await;
}

/// Statements are cancelled meanwhile.
#[tokio::test]
#[ignore = "takes its time: ./test runs it"]
async fn nor_does_one_that_is_held_for_longer() {
    lock_tables_for(Duration::from_secs(13)).await;
}

async fn lock_tables_for(span: Duration) {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let id = keep(&store, &user("u")).await;
    let other = client(&url).await;
    let lock = "BEGIN; LOCK TABLE wxs_sessions IN ACCESS EXCLUSIVE MODE";
    other.batch_execute(lock).await.unwrap();
    let start = Instant::now();
    while start.elapsed() < span {
        let _ = timeout(DEADLINE, store.load(id)).await;
        let _ = timeout(DEADLINE, store.revoke(logout(user("u")))).await;
    }
    assert!(connections(&url, "").await <= 8);
    other.batch_execute("COMMIT").await.unwrap();
    assert!(is_live(&store, id).await);
}

#[tokio::test]
async fn a_row_that_somebody_has_locked_holds_up_its_own_session_alone() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let held = keep(&store, &user("held")).await;
    let mut others = Vec::new();
    for n in 0..40 {
        others.push(keep(&store, &user(&n.to_string())).await);
    }
    let other = client(&url).await;
    let lock = format!("BEGIN; SELECT 1 FROM wxs_sessions WHERE id = '{held}' FOR UPDATE");
    other.batch_execute(&lock).await.unwrap();
    let now = store.now().await.unwrap();
    let touch = move |id| Touch::new(id, now, HOUR);
    let mut waiting = JoinSet::new();
    let of_held = store.clone();
    waiting.spawn(async move { of_held.touch(touch(held)).await.unwrap().is_some() });
    let of_held = store.clone();
    waiting.spawn(async move { of_held.revoke(logout(held)).await.unwrap() == [held] });

    let mut free = JoinSet::new();
    for id in others {
        let store = store.clone();
        free.spawn(async move {
            assert!(store.touch(touch(id)).await.unwrap().is_some());
            assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]);
        });
    }
    let done = timeout(2 * DEADLINE, free.join_all()).await;
    assert!(done.is_ok(), "the others do not wait");
    let early = waiting.try_join_next();
    assert!(early.is_none(), "{early:?}");
    other.batch_execute("COMMIT").await.unwrap();
    let done = waiting.join_all().await;
    assert!(done.contains(&true), "{done:?}");
    assert!(!is_live(&store, held).await);
}

#[tokio::test]
async fn whoever_gives_up_in_the_middle_of_a_transaction_leaves_no_lock() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let user = user("u");
    let id = keep(&store, &user).await;
    let other = client(&url).await;
    let lock = format!("BEGIN; SELECT 1 FROM wxs_sessions WHERE id = '{id}' FOR UPDATE");
    other.batch_execute(&lock).await.unwrap();
    // The lock of the user is taken, that of the row is waited for.
    for _ in 0..3 {
        let revoke = timeout(Duration::from_millis(50), store.revoke(logout(&user)));
        assert!(revoke.await.is_err());
    }
    other.batch_execute("COMMIT").await.unwrap();
    let revoked = timeout(DEADLINE, store.revoke(logout(&user))).await;
    assert!(revoked.is_ok(), "nobody has the lock any longer");
    assert!(!is_live(&store, id).await);
}

#[tokio::test]
async fn a_server_that_takes_no_writes_says_so_of_sessions_that_are_live() {
    let server = PostgresServer::start_with(&["fsync=off"]).await;
    let store = store(&server.url());
    let live = keep(&store, &user("u")).await;
    let ended = keep(&store, &user("v")).await;
    store.revoke(logout(ended)).await.unwrap();
    store.writable([0, 0]).await.unwrap();
    let admin = server.client().await;
    let read_only = "ALTER SYSTEM SET default_transaction_read_only = on";
    admin.batch_execute(read_only).await.unwrap();
    server.reload();
    eventually("writes to be refused", async || {
        store.writable([0, 0]).await.is_err()
    })
    .await;
    let now = store.now().await.unwrap();
    let refused = texts(&store.touch(Touch::new(live, now, HOUR)).await.unwrap_err());
    assert!(refused.contains("is_unwritten: true"), "{refused}");
    assert!(refused.contains("the server takes no writes"), "{refused}");
    let touched = store.touch(Touch::new(ended, now, HOUR)).await.unwrap();
    assert_eq!(touched, None, "it is over, whether it is written or not");
    assert!(is_live(&store, live).await);
    let refused = texts(&store.writable([0, 0]).await.unwrap_err());
    assert!(refused.contains("is_unwritten: true"), "{refused}");

    let writes =
        "SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only";
    for statement in writes.split("; ") {
        admin.batch_execute(statement).await.unwrap();
    }
    server.reload();
    eventually("writes to be taken", async || {
        store.writable([0, 0]).await.is_ok()
    })
    .await;
    store.revoke(logout(live)).await.unwrap();
    assert!(!is_live(&store, live).await);
}

#[tokio::test]
async fn a_full_disk_refuses_logins_before_their_codes_are_spent_and_reads_on() {
    let server = PostgresServer::start_with(&["fsync=off"]).await;
    let first = store(&server.url());
    let id = keep(&first, &user("u")).await;
    drop(first);
    // A file may have a megabyte, as those of the log do, and no other page is free.
    let grown = "ALTER TABLE wxs_sessions SET (autovacuum_enabled = off); \
        INSERT INTO wxs_sessions SELECT 'x' || n, 0, 'u', '', '', NULL, now(), now(), '1 s', now(), \
            NULL, NULL, NULL, NULL, NULL, now() + interval '1 day', NULL \
        FROM generate_series(1, 10000) AS n";
    server.client().await.batch_execute(grown).await.unwrap();
    let limit = as_nobody(Command::new("prlimit"))
        .arg(format!("--pid={}", server.pid()))
        .arg("--fsize=1048576")
        .status();
    assert!(limit.unwrap().success());
    let store = store(&server.url());
    let user = user("v");
    let now = store.now().await.unwrap();
    let record = Record::issued(user.clone(), now, HOUR, HOUR, None);
    let insert = || store.insert(Insert::new(id_of(&user), record.clone()));
    while insert().await.is_ok() {}
    let refused = texts(&store.writable(user.bucket()).await.unwrap_err());
    assert!(refused.contains("is_unwritten: true"), "{refused}");
    assert!(is_live(&store, id).await);
}
