//! `RedisStore` passes the suite for stores.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;
use tower_wx_session::store::RedisStore;
use tower_wx_session::test_util::conformance::{self, Fixture};

use super::servers::Servers;
use crate::support::redis::{Client, RedisCluster, RedisServer, store};
use crate::support::resp2::{Proxy, RESP2_ONLY};

/// A store whose time is that of its servers; every handle has connections of its own.
pub struct OnServers {
    pub url: String,
    pub tick: Duration,
}

impl OnServers {
    pub fn at(url: String) -> Self {
        let tick = Duration::from_millis(250);
        Self { url, tick }
    }
}

impl Fixture for OnServers {
    type Store = RedisStore;

    fn store(&self) -> RedisStore {
        store(&self.url)
    }

    fn tick(&self) -> Duration {
        self.tick
    }

    async fn advance(&self, span: Duration) {
        sleep(span).await;
    }

    fn time_flies(&self) -> bool {
        true
    }

    fn rounds(&self) -> usize {
        15
    }
}

/// More of them at a time would take each other's ticks.
static SIDE_BY_SIDE: Semaphore = Semaphore::const_new(3);

pub async fn pass(servers: &OnServers) {
    let _turn = SIDE_BY_SIDE.acquire().await.unwrap();
    conformance::run(servers).await;
}

pub async fn a_store_passes_the_suite(servers: &Servers) {
    pass(&OnServers::at(servers.url())).await;
    for server in servers.masters() {
        only_the_tag_keys_stay(&server.client().await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_speaks_resp2_only_passes_the_suite() {
    let server = RedisServer::start_with(&RESP2_ONLY).await;
    pass(&OnServers::at(server.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_cluster_behind_one_address_passes_the_suite() {
    let cluster = RedisCluster::start().await;
    let proxy = Proxy::for_all(&cluster).await;
    let mut servers = OnServers::at(proxy.cluster_url());
    // The proxy shares the machine with them.
    servers.tick *= 2;
    pass(&servers).await;
}

async fn only_the_tag_keys_stay(client: &Client) {
    for key in client.keys().await {
        let left: i64 = client.ask(&["PTTL", &key]).await;
        // -2: it has expired meanwhile.
        let expires = left >= 0 || left == -2;
        assert_eq!(expires, !key.contains("tag-key"), "{key}: {left}");
    }
}
