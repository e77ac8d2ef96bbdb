//! PgBouncer between the store and its server.

use tokio::time::sleep;
use tower_wx_session::store::{PostgresStore, SessionStore};
use tower_wx_session::test_util::conformance;
use tower_wx_session::{Identity, RejectionKind, Sessions};

use super::link::{SECOND, announce, id, payload, refusal, store, store_with_link};
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

/// A link that never comes up is no outage, in which sessions that were idle for too long get 503.
#[tokio::test]
async fn sessions_end_in_time_without_a_link() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let bouncer = PgBouncer::start(&server, "transaction").await;
    let deaf = store(&bouncer.url_of(&url));
    let refused = store_with_link(&url, "postgres://node:secret@127.0.0.1:1/shop");
    for store in [deaf, refused] {
        // The first connection takes its time in a debug build, and is to be no outage.
        let sessions = Sessions::builder(store).store_deadline(4 * SECOND);
        let sessions = sessions.idle_timeout(3 * SECOND).build().unwrap();
        let issued = sessions.issue(Identity::new("appid", "alice")).await;
        let issued = issued.unwrap();
        sessions.check(issued.token().expose()).await.unwrap();
        sleep(5 * SECOND).await;
        let over = sessions.check(issued.token().expose()).await;
        let kind = over.err().map(|rejection| rejection.kind());
        assert_eq!(kind, Some(RejectionKind::SessionIdleExpired));
    }
}
