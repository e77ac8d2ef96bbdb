//! `RedisStore` passes the suite for stores.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;
use tower_wx_session::store::RedisStore;
use tower_wx_session::test_util::conformance::{self, Fixture};

use super::servers::Servers;
use crate::support::redis::{Client, store};

/// A store whose time is that of its servers; every handle has connections of its own.
struct OnServers(String);

impl Fixture for OnServers {
    type Store = RedisStore;

    fn store(&self) -> RedisStore {
        store(&self.0)
    }

    fn tick(&self) -> Duration {
        Duration::from_millis(250)
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

pub async fn a_store_passes_the_suite(servers: &Servers) {
    let _turn = SIDE_BY_SIDE.acquire().await.unwrap();
    conformance::run(&OnServers(servers.url())).await;
    for server in servers.masters() {
        only_the_tag_keys_stay(&server.client().await).await;
    }
}

async fn only_the_tag_keys_stay(client: &Client) {
    for key in client.keys().await {
        let left: i64 = client.ask(&["PTTL", &key]).await;
        // -2: it has expired meanwhile.
        let expires = left >= 0 || left == -2;
        assert_eq!(expires, !key.contains("tag-key"), "{key}: {left}");
    }
}
