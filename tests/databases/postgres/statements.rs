//! How many statements an operation is, and whether they are prepared.

use tower_wx_session::store::{PostgresStore, SessionStore, Touch};

use super::records::{HOUR, is_live, keep, logout, store, user};
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::{PostgresServer, client};

/// A server that says what it is asked for.
async fn talkative() -> PostgresServer {
    PostgresServer::start_with(&["fsync=off", "log_statement=all"]).await
}

/// What a server was asked for behind that many bytes of its log. What deletes old rows comes when it likes.
fn asked(server: &PostgresServer, behind: usize) -> Vec<String> {
    let log = server.log();
    let lines = log[behind..].lines();
    let asked = lines.filter_map(|line| line.split_once(" LOG:  "));
    asked
        .filter(|(_, said)| said.starts_with("execute ") || said.starts_with("statement: "))
        .filter(|(_, said)| !said.contains("pg_try_advisory_xact_lock"))
        .map(|(_, said)| said.to_owned())
        .collect()
}

/// A load, a use and an end of one session.
async fn live_and_die(store: &PostgresStore) {
    let id = keep(store, &user("u")).await;
    let now = store.now().await.unwrap();
    assert!(is_live(store, id).await);
    let deadline = store.touch(Touch::new(id, now, HOUR)).await.unwrap();
    assert_eq!(deadline, Some(now.after(2 * HOUR)));
    assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]);
}

#[tokio::test]
async fn each_step_in_a_sessions_life_is_one_statement_that_was_prepared() {
    let server = talkative().await;
    let store = store(&server.url());
    live_and_die(&store).await;
    let id = keep(&store, &user("u")).await;
    let now = store.now().await.unwrap();
    for step in ["login", "load", "use", "end"] {
        let before = server.log().len();
        match step {
            "login" => drop(keep(&store, &user("v")).await),
            "load" => assert!(is_live(&store, id).await),
            "use" => drop(store.touch(Touch::new(id, now, HOUR)).await.unwrap()),
            _ => assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]),
        }
        let mut asked = asked(&server, before);
        // The time, for the record.
        asked.retain(|said| !said.contains(": SELECT now FROM"));
        assert_eq!(asked.len(), 1, "{step}: {asked:#?}");
        assert!(asked[0].starts_with("execute s"), "{step}: {}", asked[0]);
    }
}

#[tokio::test]
async fn nothing_is_prepared_or_left_behind_a_pooler_of_transactions() {
    let server = talkative().await;
    let bouncer = PgBouncer::start(&server, "transaction").await;
    let pooled = bouncer.url_of(&server.url());
    live_and_die(&store(&pooled)).await;
    let asked = asked(&server, 0);
    let ours = asked.iter().filter(|said| said.contains("wxs_sessions"));
    assert!(ours.count() > 0, "the log has what is looked for");
    let prepared = asked.iter().find(|said| said.starts_with("execute s"));
    assert_eq!(prepared, None);
    let next = client(&pooled).await;
    let left = "SELECT name || ' = ' || setting FROM pg_settings \
        WHERE source = 'session' AND name IN ('lock_timeout', 'enable_seqscan', 'plan_cache_mode', 'jit')";
    let left = next.query_typed(left, &[]).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

/// A newer release may do so to its tables.
#[tokio::test]
async fn a_table_that_changes_costs_a_statement_and_no_more() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let store = store(&url);
    live_and_die(&store).await;
    let id = keep(&store, &user("u")).await;
    let change = "ALTER TABLE wxs_sessions ALTER COLUMN reason TYPE varchar(40)";
    client(&url).await.batch_execute(change).await.unwrap();
    store.load(id).await.unwrap_err();
    assert!(is_live(&store, id).await);
    live_and_die(&store).await;
}
