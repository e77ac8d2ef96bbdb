//! How soon the loss of a link is announced, whatever it was lost by.

use std::time::{Duration, Instant};

use tower_wx_session::store::SessionStore;

use super::link::{beats, ended};
use super::servers::Servers;

const NOTICED: Duration = Duration::from_secs(3);

/// Opens a link, loses it, and measures.
async fn lost(servers: &Servers, how: &str, lose: impl AsyncFnOnce()) {
    let store = servers.store();
    let mut link = store.subscribe().await.unwrap();
    beats(&mut link).await;
    lose().await;
    let start = Instant::now();
    ended(&mut link).await;
    let took = start.elapsed();
    println!("{how}: the link ended after {took:.1?}");
    assert!(took < NOTICED, "{took:?}");
}

pub async fn a_link_whose_connection_is_killed_ends(servers: &Servers) {
    let client = servers.client().await;
    let kill = ["CLIENT", "KILL", "TYPE", "pubsub"];
    lost(servers, "connection killed", async || {
        let killed: i64 = client.ask(&kill).await;
        assert!(killed > 0);
    })
    .await;
}

pub async fn a_link_to_a_frozen_server_ends(servers: &Servers) {
    let freeze = async || servers.master().pause();
    lost(servers, "server frozen", freeze).await;
    servers.master().resume();
}

pub async fn a_link_to_a_killed_server_ends(servers: &Servers) {
    lost(servers, "server killed", async || servers.master().kill()).await;
}

pub async fn a_link_to_a_server_that_is_no_master_any_more_ends(servers: &Servers) {
    lost(servers, "role changed", async || servers.hand_over().await).await;
}
