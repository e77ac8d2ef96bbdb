//! What the server reads for an operation, however many sessions there are.

use futures_util::future::join_all;
use tokio_postgres::Client;
use tower_wx_session::store::{Insert, PostgresStore, Record, Rotate, SessionStore, Target, Touch};

use super::records::{HOUR, id_of, keep, logout, store, user};
use crate::support::eventually::eventually;
use crate::support::postgres::PostgresServer;

/// Sessions of others.
const OTHERS: i64 = 12_000;
/// Those that go to the store at once.
const AT_ONCE: usize = 64;
/// What all operations of a test read at most, of rows and of names in indexes.
const MOST: i64 = OTHERS / 2;

/// Every operation, alone and with others.
async fn live_in_every_way(store: &PostgresStore, database: &Client) {
    let user = user("u");
    let (old, damaged) = (keep(store, &user).await, keep(store, &user).await);
    let rotate = Rotate::new(old, id_of(&user), HOUR);
    store.rotate(rotate).await.unwrap();
    let damage = format!("UPDATE wxs_sessions SET openid = '\\xff' WHERE id = '{damaged}'");
    database.batch_execute(&damage).await.unwrap();
    assert_eq!(store.revoke(logout(damaged)).await.unwrap(), [damaged]);
    keep_under_a_cap(store).await;
    store.list(user.clone()).await.unwrap();
    store.revoke(logout(Target::User(user))).await.unwrap();
    live_together(store).await;
}

async fn keep_under_a_cap(store: &PostgresStore) {
    let (user, now) = (user("capped"), store.now().await.unwrap());
    for _ in 0..2 {
        let record = Record::issued(user.clone(), now, 24 * HOUR, HOUR, None);
        let mut insert = Insert::new(id_of(&user), record);
        insert.cap = Some(1);
        store.insert(insert).await.unwrap();
    }
}

async fn live_together(store: &PostgresStore) {
    let users: Vec<_> = (0..AT_ONCE).map(|n| user(&format!("u{n}"))).collect();
    let ids = join_all(users.iter().map(|user| keep(store, user))).await;
    let now = store.now().await.unwrap();
    join_all(ids.iter().map(|id| store.load(*id))).await;
    let uses = ids.iter().map(|id| store.touch(Touch::new(*id, now, HOUR)));
    for written in join_all(uses).await {
        assert_eq!(written.unwrap(), Some(now.after(2 * HOUR)));
    }
    let new: Vec<_> = users.iter().map(id_of).collect();
    let rotations = ids.iter().zip(&new);
    join_all(rotations.map(|(old, new)| store.rotate(Rotate::new(*old, *new, HOUR)))).await;
    let ends = join_all(new.iter().map(|id| store.revoke(logout(*id)))).await;
    for (ended, id) in ends.into_iter().zip(new) {
        assert_eq!(ended.unwrap(), [id]);
    }
}

async fn others_log_in(database: &Client) {
    let insert = format!(
        "INSERT INTO wxs_sessions (id, user_key, appid, openid, issued_at, absolute_end, idle_timeout, \
            idle_deadline, kept_until) \
        SELECT lpad(n::text, 24, 'A'), 'u' || n, 'a', 'o', now(), now() + interval '1 day', interval '1 hour', \
            now() + interval '1 hour', now() + interval '1 day' \
        FROM generate_series(1, {OTHERS}) AS n"
    );
    database.batch_execute(&insert).await.unwrap();
}

/// How many rows of the sessions, and names in their indexes, all connections have read that are gone.
async fn read(database: &Client) -> i64 {
    eventually("the store's connections to end", async || {
        let others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        database.query(others, &[]).await.unwrap().is_empty()
    })
    .await;
    let read = "SELECT (SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables \
            WHERE relname = 'wxs_sessions') \
        + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname = 'wxs_sessions')";
    database.query_one(read, &[]).await.unwrap().get(0)
}

/// Plans are made while there are few sessions and kept while more come, as before the server has looked at
/// the table again.
async fn reads_what_is_asked_for(looked_at: bool) {
    let server = PostgresServer::start_with(&["fsync=off", "autovacuum=off"]).await;
    let (database, store) = (server.client().await, store(&server.url()));
    keep(&store, &user("first")).await;
    if looked_at {
        database.batch_execute("ANALYZE").await.unwrap();
    }
    live_in_every_way(&store, &database).await;
    others_log_in(&database).await;
    live_in_every_way(&store, &database).await;
    drop(store);
    let read = read(&database).await;
    assert!(read < MOST, "{read} were read");
}

#[tokio::test]
async fn no_more_is_read_than_what_is_asked_for() {
    reads_what_is_asked_for(false).await;
}

#[tokio::test]
async fn nor_if_the_server_has_seen_the_table_while_it_was_small() {
    reads_what_is_asked_for(true).await;
}
