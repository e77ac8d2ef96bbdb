//! Servers that refuse, are full, or are gone: what a store says, and that it goes on by itself.

use mysql_async::prelude::Queryable;
use tokio::time::timeout;
use tower_wx_session::SessionId;
use tower_wx_session::store::{Loaded, SessionStore};

use super::pool::waiting;
use super::records::{
    DEADLINE, holds, keep, literal, logout, named, new_session, told, use_of, user,
};
use crate::support::errors::texts;
use crate::support::eventually::eventually;
use crate::support::mariadb::{MariaDb, client, store};

const UNWRITTEN: &str = "is_unwritten: true";

#[tokio::test]
async fn what_is_wrong_with_the_url_is_said_and_no_password_is() {
    let server = MariaDb::shared().await;
    let port = server.port;
    let at = |rest: &str| format!("mysql://{rest}");
    for (url, advice) in [
        (
            at(&format!("root:s3cret@127.0.0.1:{port}/mysql")),
            "the server knows no such user with this password",
        ),
        (
            at(&format!("root@127.0.0.1:{port}/nowhere")),
            "the server has no such database",
        ),
        (at("root@127.0.0.1:1/mysql"), "nothing listens there"),
        (
            at("root:s3cret@no-such-host.invalid/mysql"),
            "no address is known for this name",
        ),
        (
            at(&format!(
                "root@127.0.0.1:{port}/mysql?ssl-mode=VERIFY_IDENTITY"
            )),
            "the server speaks no TLS",
        ),
    ] {
        let told = told(store(&url).now().await);
        holds(&told, advice);
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[tokio::test]
async fn a_server_with_too_many_connections_says_so() {
    let server = MariaDb::start_with(&["max-connections=10"]).await;
    let url = server.database().await;
    let store = store(&url);
    keep(&store, &user(), 1).await;
    let mut taken = Vec::new();
    let refused = loop {
        // The last one is for the administrator, who this is. Some that have ended count for a moment.
        while let Ok(one) = mysql_async::Conn::from_url(&url).await {
            taken.push(one);
        }
        if let Err(error) = crate::support::mariadb::store(&url).now().await {
            break texts(&error);
        }
    };
    holds(&refused, "raise `max_connections`");
    store.now().await.expect("its own connection is there");
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_read_and_says_what_it_would_take() {
    let server = MariaDb::start().await;
    let url = server.database().await;
    let store = node(&server, &url).await;
    let (live, over) = (
        keep(&store, &user(), 1).await,
        keep(&store, &user(), 2).await,
    );
    store.revoke(logout(over)).await.unwrap();
    let (of_live, of_over) = (use_of(&store, live).await, use_of(&store, over).await);
    let mut root = client(&url).await;
    root.query_drop("SET GLOBAL read_only = 1").await.unwrap();

    assert!(matches!(store.load(live).await.unwrap(), Loaded::Live(_)));
    holds(&told(store.writable(live.bucket()).await), UNWRITTEN);
    let told = told(store.touch(of_live).await);
    holds(&told, UNWRITTEN);
    holds(&told, "the server takes no writes: if it is a replica");
    assert_eq!(
        store.touch(of_over).await.unwrap(),
        None,
        "it is known to be over"
    );
    let refused = super::records::told(store.revoke(logout(live)).await);
    holds(&refused, "the server takes no writes");
    assert!(!refused.contains(UNWRITTEN), "{refused}");

    root.query_drop("SET GLOBAL read_only = 0").await.unwrap();
    store.writable(live.bucket()).await.unwrap();
    assert!(store.touch(of_live).await.unwrap().is_some());
    assert_eq!(store.revoke(logout(live)).await.unwrap(), [live]);
}

/// A store whose user may do all in its database, and may not write where nobody may.
async fn node(server: &MariaDb, url: &str) -> tower_wx_session::store::MySqlStore {
    let mut root = server.client().await;
    let create = "GRANT ALL ON *.* TO 'node'@'%' IDENTIFIED BY 'password'";
    root.query_drop(create).await.unwrap();
    let less = "REVOKE READ ONLY ADMIN, SUPER ON *.* FROM 'node'@'%'";
    root.query_drop(less).await.unwrap();
    store(&url.replace("root@", "node:password@"))
}

#[tokio::test]
async fn a_server_without_space_is_read_and_says_what_it_would_take() {
    // The tables are in a file that may not grow.
    let full = [
        "innodb-file-per-table=0",
        "innodb-data-file-path=ibdata1:12M:autoextend:max:16M",
    ];
    let server = MariaDb::start_with(&full).await;
    let url = server.database().await;
    let store = store(&url);
    let session = keep(&store, &user(), 1).await;
    let data = format!("\"{}\"", "x".repeat(200_000));
    let mut refused = None;
    for number in 0..200u8 {
        let mut insert = new_session(&store, &named(&format!("u{number}")), number).await;
        insert.record.data = Some(data.as_str().into());
        if let Err(error) = store.insert(insert).await {
            refused = Some(texts(&error));
            break;
        }
    }
    holds(
        &refused.unwrap(),
        "the server has no space left for the tables",
    );
    assert!(matches!(
        store.load(session).await.unwrap(),
        Loaded::Live(_)
    ));
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_kill_9_and_the_store_goes_on() {
    let server = MariaDb::start().await;
    let store = store(&server.database().await);
    let user = user();
    let mut kept = Vec::new();
    for number in 1..=20 {
        kept.push(keep(&store, &user, number).await);
    }
    let ended = kept.split_off(10);
    for session in &ended {
        store.revoke(logout(*session)).await.unwrap();
    }
    server.kill();
    let refused = timeout(DEADLINE, store.load(kept[0])).await.unwrap();
    holds(&told(refused), "nothing listens there");
    server.restart().await;
    eventually("the store to go on", async || store.now().await.is_ok()).await;
    for session in kept {
        assert!(matches!(
            store.load(session).await.unwrap(),
            Loaded::Live(_)
        ));
    }
    for session in ended {
        assert!(store.load(session).await.unwrap().end_reason().is_some());
    }
}

#[tokio::test]
async fn a_touch_that_waited_for_a_revocation_is_refused() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let session = keep(&store, &user(), 1).await;
    let touch = use_of(&store, session).await;
    // What a revocation does, stopped before it commits.
    let mut revoking = client(&url).await;
    revoking.query_drop("START TRANSACTION").await.unwrap();
    let revoke = "UPDATE wxs_sessions SET user = NULL, reason = 'kicked_out', revoked_at = 1";
    revoking.query_drop(revoke).await.unwrap();
    let touching = {
        let store = store.clone();
        tokio::spawn(async move { store.touch(touch).await })
    };
    waiting(&url).await;
    revoking.query_drop("COMMIT").await.unwrap();
    assert_eq!(touching.await.unwrap().unwrap(), None);
    assert!(store.load(session).await.unwrap().end_reason().is_some());
}

#[tokio::test]
async fn what_a_deadlock_has_undone_is_done_again() {
    let server = MariaDb::start().await;
    let url = server.database().await;
    let store = store(&url);
    let mut sessions = Vec::new();
    for number in 1..=3 {
        sessions.push(keep(&store, &user(), number).await);
    }
    let used = |id: SessionId| {
        let id = literal(id.as_bytes());
        format!("UPDATE wxs_sessions SET last_used = 1 WHERE id = {id}")
    };
    let mut other = client(&url).await;
    other.query_drop("START TRANSACTION").await.unwrap();
    // Who has written less is the victim.
    let much = "INSERT INTO wxs_changes (`at`, sessions) \
         SELECT 1, '' FROM information_schema.columns LIMIT 500";
    other.query_drop(much).await.unwrap();
    other.query_drop(used(sessions[2])).await.unwrap();
    let revoking = {
        let store = store.clone();
        tokio::spawn(async move { store.revoke(logout(user())).await })
    };
    waiting(&url).await;
    other.query_drop(used(sessions[0])).await.unwrap();
    other.query_drop("COMMIT").await.unwrap();
    assert_eq!(revoking.await.unwrap().unwrap(), sessions);
    let count = "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'";
    let (_, deadlocks): (String, u32) = other.query_first(count).await.unwrap().unwrap();
    assert_eq!(deadlocks, 1);
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn a_server_that_may_lose_what_it_acknowledges_is_warned_of_once() {
    let (log, _guard) = crate::support::log::Log::from(tracing::Level::WARN);
    let settings = [
        "log-bin",
        "sync-binlog=0",
        "innodb-flush-log-at-trx-commit=2",
    ];
    let server = MariaDb::start_with(&settings).await;
    let url = server.database().await;
    let store = store(&url);
    store.now().await.unwrap();
    store.subscribe().await.unwrap();
    let warnings = log.take("the session store may lose sessions");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    holds(
        &warnings[0],
        "innodb_flush_log_at_trx_commit = 1, sync_binlog = 1",
    );
}
