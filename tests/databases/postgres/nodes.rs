//! Nodes that tell each other through one database.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::Client;
use tower_wx_session::store::{PostgresStore, RevokeReason};
use tower_wx_session::{Identity, Sessions};

use super::link::{SECOND, store, store_with_link};
use crate::support::eventually::eventually;
use crate::support::nodes::ROOM;
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::{PostgresServer, client};

type Node = Sessions<PostgresStore>;

/// A node that waits for its store however busy the machine is: these tests measure something else.
fn node(store: PostgresStore) -> Node {
    let builder = Sessions::builder(store).cache_capacity(ROOM);
    builder.store_deadline(10 * SECOND).build().unwrap()
}

/// Some user's session, which every node knows.
async fn known_to(nodes: &[&Node], number: usize) -> (Identity, String) {
    let user = Identity::new("appid", format!("user {number}"));
    let issued = nodes[0].issue(user.clone()).await.unwrap();
    let token = issued.token().expose().to_owned();
    for node in nodes {
        node.check(&token).await.unwrap();
    }
    (user, token)
}

/// Waits until so many links are up in a database.
async fn linked(client: &Client, count: i64) {
    let links = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND query LIKE '%LISTEN wxs%' AND pid <> pg_backend_pid()";
    eventually("the links", async || {
        let row = client.query_one(links, &[]).await.unwrap();
        row.get::<_, i64>(0) == count
    })
    .await;
}

/// For how long a node still takes a token.
async fn passes_for(node: &Node, token: &str) -> Duration {
    let start = Instant::now();
    while node.check(token).await.is_ok() {
        assert!(start.elapsed() < 10 * SECOND, "it passes on and on");
        sleep(Duration::from_millis(1)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_revokes_the_others_refuse_at_once() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let [one, second, third] = [(); 3].map(|()| node(store(&url)));
    known_to(&[&one, &second, &third], 0).await;
    linked(&client(&url).await, 3).await;
    let mut times = Vec::new();
    for number in 0..50 {
        let (user, token) = known_to(&[&one, &second, &third], number).await;
        one.revoke(user, RevokeReason::KickedOut).await.unwrap();
        times.push(passes_for(&second, &token).await);
        times.push(passes_for(&third, &token).await);
    }
    times.sort();
    let (median, most) = (times[times.len() / 2], times[times.len() * 95 / 100]);
    println!("refused elsewhere after {median:.1?}, 95 of 100 within {most:.1?}");
    assert!(most < Duration::from_millis(50), "{most:?}");
}

/// The way to the data is well meanwhile, and so is the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_while_only_the_link_is_dead_passes_for_three_seconds_at_most() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let bouncer = PgBouncer::start(&server, "session").await;
    let (one, other) = (
        node(store(&url)),
        node(store_with_link(&url, &bouncer.url_of(&url))),
    );
    let (user, token) = known_to(&[&one, &other], 0).await;
    linked(&client(&url).await, 2).await;
    bouncer.pause();
    one.revoke(user, RevokeReason::KickedOut).await.unwrap();
    let passed = passes_for(&other, &token).await;
    bouncer.resume();
    println!("passed for {passed:.1?}");
    assert!(passed < 3 * SECOND + SECOND / 4, "{passed:?}");
    assert!(passed > SECOND / 4, "the link was alive");
}
