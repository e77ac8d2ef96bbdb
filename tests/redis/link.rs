//! The link that tells of changes.

use std::time::Instant;

use tokio::time::sleep;
use tower_wx_session::store::{RedisStore, RevokeReason, SessionStore, StoreErrorKind};

use super::records::{DEADLINE, SECOND, id, keep, kind, user};
pub use crate::support::feed::{beats, ended, next, told};
use crate::support::nodes::{alice, node_in_real_time};
use crate::support::redis::{RedisServer, eventually, store};
use crate::support::resp2::{Proxy, RENAMED_CLIENT, RESP2_ONLY};

/// Tells each of these stories of servers that speak RESP3, that refuse it, and that take `HELLO 3`
/// and grant RESP2.
macro_rules! over_each_protocol {
    ($($story:ident)*) => {
        mod resp3 {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Site::resp3().await).await;
            })*
        }
        mod resp2 {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Site::resp2().await).await;
            })*
        }
        mod granted_resp2 {
            $(#[tokio::test]
            async fn $story() {
                super::$story(super::Site::granting_resp2().await).await;
            })*
        }
    };
}

over_each_protocol! {
    a_link_beats_with_the_server_s_time
    a_message_that_is_not_understood_ends_the_link
    a_node_that_falls_behind_loses_its_link
    a_link_ends_when_the_server_stops_answering
    a_link_ends_when_its_connection_does
    a_link_ends_when_its_server_is_no_master_any_more
    nodes_tell_each_other_through_the_store
}

/// A server, and the way to it.
struct Site {
    server: RedisServer,
    url: String,
    _proxy: Option<Proxy>,
}

impl Site {
    async fn resp3() -> Self {
        Self::direct(RedisServer::start().await)
    }

    async fn resp2() -> Self {
        Self::direct(RedisServer::start_with(&RESP2_ONLY).await)
    }

    fn direct(server: RedisServer) -> Self {
        let url = server.url();
        Self {
            server,
            url,
            _proxy: None,
        }
    }

    async fn granting_resp2() -> Self {
        let server = RedisServer::start().await;
        let proxy = Proxy::granting_resp2(&server).await;
        Self {
            server,
            url: format!("redis://{}", proxy.address),
            _proxy: Some(proxy),
        }
    }

    fn store(&self) -> RedisStore {
        store(&self.url)
    }
}

async fn a_link_beats_with_the_server_s_time(site: Site) {
    let store = site.store();
    let mut feed = store.subscribe().await.unwrap();
    let start = Instant::now();
    let first = beats(&mut feed).await;
    assert!(start.elapsed() < DEADLINE, "the first beat comes at once");
    let second = beats(&mut feed).await;
    let between = second.since(first);
    assert!((400..1500).contains(&between.as_millis()), "{between:?}");
    assert!(store.now().await.unwrap().since(second) < SECOND);
}

async fn a_message_that_is_not_understood_ends_the_link(site: Site) {
    let server = &site.server;
    let mut feed = site.store().subscribe().await.unwrap();
    beats(&mut feed).await;
    let client = server.client().await;
    let () = client
        .ask(&["PUBLISH", "wxs:changed:0", "\u{2}of a newer release"])
        .await;
    assert!(ended(&mut feed).await < DEADLINE);
}

async fn a_node_that_falls_behind_loses_its_link(site: Site) {
    let server = &site.server;
    let mut feed = site.store().subscribe().await.unwrap();
    let client = server.client().await;
    let message = format!("\u{1}{}", id(&user(), 1));
    let publish = "for i = 1, 1100 do redis.call('PUBLISH', KEYS[1], ARGV[1]) end";
    let () = client
        .ask(&["EVAL", publish, "1", "wxs:changed:0", &message])
        .await;
    sleep(DEADLINE).await;
    assert!(ended(&mut feed).await < DEADLINE);
}

async fn a_link_ends_when_the_server_stops_answering(site: Site) {
    let server = &site.server;
    let mut feed = site.store().subscribe().await.unwrap();
    beats(&mut feed).await;
    server.pause();
    let took = ended(&mut feed).await;
    assert!(took < 2 * SECOND, "{took:?}");
    server.resume();
}

async fn a_link_ends_when_its_connection_does(site: Site) {
    let server = &site.server;
    let mut feed = site.store().subscribe().await.unwrap();
    beats(&mut feed).await;
    let client = server.client().await;
    for name in ["CLIENT", RENAMED_CLIENT] {
        let _ = client
            .try_ask::<u32>(&[name, "KILL", "TYPE", "pubsub"])
            .await;
    }
    assert!(ended(&mut feed).await < DEADLINE);
}

async fn a_link_ends_when_its_server_is_no_master_any_more(site: Site) {
    let server = &site.server;
    let store = site.store();
    let mut feed = store.subscribe().await.unwrap();
    let (id, _) = keep(&store, &user(), 1).await;
    let client = server.client().await;
    let () = client.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
    assert!(ended(&mut feed).await < SECOND);
    assert_eq!(kind(store.load(id).await), StoreErrorKind::Unavailable);
    let () = client.ask(&["REPLICAOF", "NO", "ONE"]).await;
    eventually("the master", async || store.load(id).await.is_ok()).await;
}

async fn nodes_tell_each_other_through_the_store(site: Site) {
    let server = &site.server;
    let [one, other] = [site.store(), site.store()].map(node_in_real_time);
    let issued = one.issue(alice()).await.unwrap();
    let token = issued.token().expose();
    assert!(other.check(token).await.is_ok());
    // The link of the other node comes up in the background.
    eventually("the link", async || {
        let () = sleep(Duration::from_millis(50)).await;
        let channels: Vec<String> = server
            .client()
            .await
            .ask(&["PUBSUB", "NUMSUB", "wxs:changed:0"])
            .await;
        channels.last().is_some_and(|count| count == "2")
    })
    .await;
    one.revoke(alice(), RevokeReason::KickedOut).await.unwrap();
    let start = Instant::now();
    while other.check(token).await.is_ok() {
        assert!(start.elapsed() < DEADLINE, "fresh for 30 s otherwise");
        sleep(Duration::from_millis(1)).await;
    }
}
