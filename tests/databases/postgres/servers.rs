//! The servers of these tests do what tests rely on.

use crate::support::eventually::eventually;
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::{PostgresServer, client};

#[tokio::test]
#[ignore = "takes its time: ./test runs it"]
async fn a_killed_server_comes_back_with_what_was_committed() {
    let server = PostgresServer::start().await;
    let before = server.client().await;
    before
        .batch_execute("CREATE TABLE t AS SELECT 1 AS n")
        .await
        .unwrap();
    server.kill();
    assert!(before.batch_execute("SELECT").await.is_err());
    server.restart().await;
    let after = server.client().await;
    let row = after.query_one("SELECT n FROM t", &[]).await.unwrap();
    assert_eq!(row.get::<_, i32>(0), 1);
}

#[tokio::test]
#[ignore = "takes its time: ./test runs it"]
async fn a_standby_takes_over() {
    let primary = PostgresServer::start().await;
    let standby = primary.standby("other").await;
    let client = primary.client().await;
    client
        .batch_execute("CREATE TABLE t AS SELECT 1 AS n")
        .await
        .unwrap();
    let heir = standby.client().await;
    eventually("the standby to have it", async || {
        heir.query_one("SELECT n FROM t", &[]).await.is_ok()
    })
    .await;
    primary.kill();
    standby.promote().await;
    heir.batch_execute("INSERT INTO t VALUES (2)")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_pooler_stands_in_front() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let bouncer = PgBouncer::start(&server, "transaction").await;
    let through = client(&bouncer.url_of(&url)).await;
    let row = through
        .query_typed("SELECT current_database()", &[])
        .await
        .unwrap();
    assert!(url.ends_with(row[0].get::<_, &str>(0)));
}
