//! Rows that nobody can read any more go by themselves.

use std::time::Duration;

use tower_wx_session::store::{PutSessionKey, SessionStore};

use super::records::{HOUR, keep, store, user};
use crate::support::eventually::eventually;
use crate::support::postgres::{PostgresServer, client};

#[tokio::test]
async fn what_is_due_is_deleted_in_steps_that_wait_for_nobody() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let early = store(&url);
    let kept = keep(&early, &user("kept")).await;
    for name in ["old", "new"] {
        let keep = if name == "old" { Duration::ZERO } else { HOUR };
        let put = PutSessionKey::new(user(name), vec![1], [1; 16], keep, HOUR);
        early.put_session_key(put).await.unwrap();
    }
    drop(early);
    let client = client(&url).await;
    let due = "INSERT INTO wxs_sessions SELECT 'x' || n, 0, 'u', '', '', NULL, now(), now(), '1 s', now(), \
            NULL, NULL, NULL, NULL, NULL, now() - interval '1 s' * (n % 3), NULL \
        FROM generate_series(1, 2000) AS n";
    client.batch_execute(due).await.unwrap();
    let lock = "BEGIN; SELECT 1 FROM wxs_sessions WHERE id = 'x7' FOR UPDATE";
    client.batch_execute(lock).await.unwrap();

    let store = store(&url);
    keep(&store, &user("kept")).await;
    let left = async |table: &str| {
        let rows = client.query(&format!("SELECT * FROM {table}"), &[]).await;
        rows.unwrap().len()
    };
    eventually("rows to be deleted", async || {
        left("wxs_sessions").await == 3 && left("wxs_session_keys").await == 1
    })
    .await;
    let rows = client
        .query("SELECT id FROM wxs_sessions", &[])
        .await
        .unwrap();
    let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(ids.contains(&"x7".to_owned()), "somebody has it locked");
    assert!(ids.contains(&kept.to_string()));
}

#[tokio::test]
async fn what_is_not_due_is_not_looked_at() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    keep(&store(&url), &user("kept")).await;
    let client = client(&url).await;
    let rows = "INSERT INTO wxs_sessions SELECT 'x' || n, 0, 'u', '', '', NULL, now(), now(), '1 s', now(), \
            NULL, NULL, NULL, NULL, NULL, now() + CASE WHEN n > 10 THEN interval '1 day' ELSE '-1 s' END, NULL \
        FROM generate_series(1, 3000) AS n; ANALYZE wxs_sessions";
    client.batch_execute(rows).await.unwrap();
    let collecting = store(&url);
    keep(&collecting, &user("kept")).await;
    let number = async |of: &str| client.query_one(of, &[]).await.unwrap().get::<_, i64>(0);
    // Not by the index, whose reads are counted.
    let due = "SELECT count(*) FROM wxs_sessions WHERE kept_until + interval '0' < now()";
    eventually("rows to be deleted", async || number(due).await == 0).await;
    // What its connections have read is counted when they end.
    drop(collecting);
    let looked_at = "SELECT idx_tup_read FROM pg_stat_user_indexes \
        WHERE indexrelname = 'wxs_sessions_kept_until'";
    eventually("rows to be counted", async || number(looked_at).await > 0).await;
    let looked_at = number(looked_at).await;
    assert!(looked_at < 100, "{looked_at}");
}
