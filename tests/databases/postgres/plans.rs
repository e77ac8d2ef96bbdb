//! What the server reads for an operation, however many sessions there are.

use tokio_postgres::Client;
use tower_wx_session::store::{PostgresStore, SessionStore};

use super::records::{keep, logout, store, user};
use crate::every_way::live_in_every_way;
use crate::support::eventually::eventually;
use crate::support::postgres::PostgresServer;

/// Sessions of others.
const OTHERS: i64 = 12_000;
/// What all operations of a test read at most, of rows and of names in indexes.
const MOST: i64 = OTHERS / 2;

/// Damage is found and ended, too.
async fn live_and_be_damaged(store: &PostgresStore, database: &Client) {
    live_in_every_way(store).await;
    let damaged = keep(store, &user("damaged")).await;
    let damage = format!("UPDATE wxs_sessions SET openid = '\\xff' WHERE id = '{damaged}'");
    database.batch_execute(&damage).await.unwrap();
    assert_eq!(store.revoke(logout(damaged)).await.unwrap(), [damaged]);
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
    live_and_be_damaged(&store, &database).await;
    others_log_in(&database).await;
    live_and_be_damaged(&store, &database).await;
    drop(store);
    let read = read(&database).await;
    assert!((100..MOST).contains(&read), "{read} were read");
}

#[tokio::test]
async fn no_more_is_read_than_what_is_asked_for() {
    reads_what_is_asked_for(false).await;
}

#[tokio::test]
async fn nor_if_the_server_has_seen_the_table_while_it_was_small() {
    reads_what_is_asked_for(true).await;
}
