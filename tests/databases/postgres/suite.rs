//! `PostgresStore` passes the suite for stores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::sleep;
use tower_wx_session::store::PostgresStore;
use tower_wx_session::test_util::conformance::{self, Fixture};

use crate::support::postgres::PostgresServer;

/// A fleet of three nodes, whose time is that of their server.
pub struct Fleet {
    nodes: Vec<PostgresStore>,
    next: AtomicUsize,
    tick: Duration,
}

impl Fleet {
    pub fn at(url: &str) -> Self {
        Self::of(|| PostgresStore::builder(url).build().unwrap())
    }

    pub fn of(node: impl Fn() -> PostgresStore) -> Self {
        Self {
            nodes: (0..3).map(|_| node()).collect(),
            next: AtomicUsize::new(0),
            tick: Duration::from_millis(250),
        }
    }
}

impl Fixture for Fleet {
    type Store = PostgresStore;

    fn store(&self) -> PostgresStore {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.nodes[turn % self.nodes.len()].clone()
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_passes_the_suite() {
    let server = PostgresServer::shared().await;
    conformance::run(&Fleet::at(&server.database().await)).await;
}
