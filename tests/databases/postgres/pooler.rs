//! PgBouncer between the store and its server.

use tower_wx_session::store::{PostgresStore, SessionStore};
use tower_wx_session::test_util::conformance;

use super::link::{announce, id, payload, refusal, store, store_with_link};
use super::suite::Fleet;
use crate::support::feed::{beats, told};
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::{PostgresServer, client};

async fn carries(store: &PostgresStore, url: &str) {
    let mut feed = store.subscribe().await.unwrap();
    beats(&mut feed).await;
    announce(url, &[payload(&[id(1)])]).await;
    told(&mut feed, id(1)).await;
}

#[tokio::test]
async fn a_link_that_leads_past_a_pooler_of_transactions_hears_what_the_store_announces() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let bouncer = PgBouncer::start(&server, "transaction").await;
    let pooled = bouncer.url_of(&url);
    carries(&store_with_link(&pooled, &url), &pooled).await;
}

/// Nodes whose statements go over the same few connections in turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_store_behind_a_pooler_of_transactions_passes_the_suite() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let bouncer = PgBouncer::start(&server, "transaction").await;
    let pooled = bouncer.url_of(&url);
    conformance::run(&Fleet::of(|| store_with_link(&pooled, &url))).await;
}

#[tokio::test]
async fn a_pooler_of_sessions_carries_links() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let bouncer = PgBouncer::start(&server, "session").await;
    carries(&store(&bouncer.url_of(&url)), &url).await;
}

#[tokio::test]
async fn a_link_through_a_pooler_of_transactions_says_what_to_do() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let bouncer = PgBouncer::start(&server, "transaction").await;
    let pooled = bouncer.url_of(&url);
    let refusal = refusal(&store(&pooled)).await;
    assert!(refusal.contains("link_url"), "{refusal}");
    // Whoever gets the session next is not told what the link asked for.
    let next = client(&pooled).await;
    let listening = "SELECT count(*) FROM pg_listening_channels()";
    let rows = next.query_typed(listening, &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, i64>(0), 0);
}
