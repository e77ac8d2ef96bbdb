//! `MySqlStore` passes the suite for stores.

use std::time::Duration;

use tokio::time::sleep;
use tower_wx_session::store::MySqlStore;
use tower_wx_session::test_util::conformance::{self, Fixture};

use crate::support::mariadb::{MariaDb, store};

/// A store whose time is that of its server; every handle has connections of its own.
pub struct OnMariaDb {
    pub url: String,
}

impl Fixture for OnMariaDb {
    type Store = MySqlStore;

    fn store(&self) -> MySqlStore {
        store(&self.url)
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_on_mariadb_passes_the_suite() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    conformance::run(&OnMariaDb { url }).await;
}
