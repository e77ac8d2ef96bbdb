//! A user's index knows the user's sessions.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_wx_session::sessions::{Issued, Revocation};
use tower_wx_session::store::{Insert, Record, RevokeReason, SessionStore, Touch};

use super::records::{DEADLINE, HOUR, SECOND, id, keep, key_with, logout, user};
use crate::support::nodes::node_in_real_time;
use crate::support::redis::{Client, RedisServer, eventually};

#[tokio::test]
async fn what_is_gone_leaves_the_index() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    for number in 0..100 {
        keep(&store, &user(), number).await;
    }
    for number in 0..100 {
        let key = key_with(&client, &id(&user(), number).to_string()).await;
        let () = client.ask(&["DEL", &key]).await;
    }
    for number in 100..150 {
        keep(&store, &user(), number).await;
    }
    let index = key_with(&client, ":u:").await;
    let entries: usize = client.ask(&["ZCARD", &index]).await;
    assert!(entries <= 60, "{entries}");
    store.list(user()).await.unwrap();
    let entries: usize = client.ask(&["ZCARD", &index]).await;
    assert_eq!(entries, 50);
}

#[tokio::test]
async fn a_use_puts_a_session_back_into_the_index() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let sessions = node_in_real_time(store.clone());
    let [one, two, three] = [(); 3].map(|()| sessions.issue(user()));
    let [one, two, three] = [one.await.unwrap(), two.await.unwrap(), three.await.unwrap()];
    let index = key_with(&client, ":u:").await;
    let () = client.ask(&["DEL", &index]).await;
    assert_eq!(store.list(user()).await.unwrap(), []);

    // A node's clock may be a millisecond ahead of the store's, and a use from before the login is none.
    let issued = store.now().await.unwrap();
    eventually("a moment to pass", async || {
        store.now().await.unwrap().since(issued) > Duration::from_millis(1)
    })
    .await;
    // The one that asks is ended in any case; the one that is used is found again.
    let touch = Touch::new(two.session().id(), store.now().await.unwrap(), SECOND);
    assert!(store.touch(touch).await.unwrap().is_some());
    assert_eq!(store.list(user()).await.unwrap().len(), 1);
    let left: i64 = client.ask(&["PTTL", &index]).await;
    assert!(left > 0, "{left}");
    let ended = sessions.revoke_all(one.session()).await.unwrap();
    assert_eq!(ended, Revocation::Done(2));
    for (issued, expected) in [(one, true), (two, true), (three, false)] {
        let loaded = store.load(issued.session().id()).await.unwrap();
        assert_eq!(loaded.end_reason().is_some(), expected, "{loaded:?}");
    }
}

#[tokio::test]
async fn an_end_of_what_the_server_has_lost_reaches_every_node() {
    let server = RedisServer::start().await;
    let client = server.client().await;
    let [here, there] = [server.store(), server.store()].map(node_in_real_time);
    let [one, two] = [
        here.issue(user()).await.unwrap(),
        here.issue(user()).await.unwrap(),
    ];
    let check = async |issued: &Issued| there.check(issued.token().expose()).await.is_ok();
    assert!(check(&one).await && check(&two).await);
    linked(&client, 2).await;
    // The node takes note of its link a moment later, and confirms what it held before.
    sleep(DEADLINE).await;
    assert!(check(&one).await && check(&two).await);
    for issued in [&one, &two] {
        let key = key_with(&client, &issued.session().id().to_string()).await;
        let () = client.ask(&["DEL", &key]).await;
    }
    assert!(check(&one).await && check(&two).await, "held still");
    let keys = client.keys().await.len();
    here.revoke(one.session(), RevokeReason::LoggedOut)
        .await
        .unwrap();
    eventually_within(DEADLINE, async || !check(&one).await).await;
    here.revoke_user(&user()).await.unwrap();
    eventually_within(DEADLINE, async || !check(&two).await).await;

    // It costs a message each, and leaves nothing behind.
    for number in 0..100 {
        assert_eq!(
            here.revoke(id(&user(), number), RevokeReason::LoggedOut)
                .await
                .unwrap(),
            Revocation::Done(0)
        );
    }
    assert!(client.keys().await.len() < keys, "the index is gone too");
}

async fn eventually_within(span: Duration, is_so: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < span, "{:?}", start.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until so many nodes are told of changes.
async fn linked(client: &Client, nodes: usize) {
    eventually("the links", async || {
        let channels: Vec<String> = client.ask(&["PUBSUB", "NUMSUB", "wxs:changed:0"]).await;
        channels.last() == Some(&nodes.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_logout_leaves_the_index_when_somebody_looks() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    for number in 0..100 {
        let (id, _) = keep(&store, &user(), number).await;
        assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]);
    }
    let index = key_with(&client, ":u:").await;
    let entries: usize = client.ask(&["ZCARD", &index]).await;
    assert!(entries <= 20, "{entries}");
}

#[tokio::test]
async fn the_index_lives_as_long_as_the_sessions_in_it() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let (used, record) = keep(&store, &user(), 1).await;
    let index = key_with(&client, ":u:").await;
    let left = async || -> i64 { client.ask(&["PTTL", &index]).await };
    let hours = |millis: i64| (millis + 1_800_000) / 3_600_000;
    assert_eq!(hours(left().await), 7);
    let touch = Touch::new(used, record.issued_at, 3 * HOUR);
    assert!(store.touch(touch).await.unwrap().is_some());
    assert_eq!(hours(left().await), 10);
    // A login that ends sooner does not shorten it, and one that ends later makes it longer.
    let (_, record) = keep(&store, &user(), 2).await;
    assert_eq!(hours(left().await), 10);
    let longer = Record::issued(user(), record.issued_at, 24 * HOUR, 6 * HOUR, None);
    let insert = Insert::new(id(&user(), 3), longer);
    store.insert(insert).await.unwrap();
    assert_eq!(hours(left().await), 12);
}
