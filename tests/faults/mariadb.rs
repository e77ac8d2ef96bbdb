//! MariaDB killed, stopped, or out of reach.

use std::net::SocketAddr;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tower_wx_session::store::{AnyStore, MySqlStore};

use super::crashes;
use super::server::Server;
use crate::support::mariadb::MariaDb;

/// A server with a database for the nodes.
struct Database(MariaDb);

impl Database {
    async fn start() -> Self {
        let server = MariaDb::start().await;
        let create = "CREATE DATABASE sessions";
        server.client().await.query_drop(create).await.unwrap();
        Self(server)
    }
}

impl Server for Database {
    fn link_word(&self) -> &'static [u8] {
        b"FROM `wxs_changes` WHERE `at` >="
    }

    /// A link looks five times a second.
    fn heard_within(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.0.port))
    }

    fn url_at(&self, address: SocketAddr) -> String {
        format!("mysql://root@{address}/sessions")
    }

    fn store(&self) -> AnyStore {
        AnyStore::new(MySqlStore::builder(&self.url()).build().unwrap())
    }

    fn kill(&self) {
        self.0.kill();
    }

    async fn restart(&self) {
        self.0.restart().await;
    }

    fn pause(&self) {
        self.0.pause();
    }

    fn resume(&self) {
        self.0.resume();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn what_was_acknowledged_outlives_the_server() {
    crashes::server_dies("MariaDB killed in mid-write", Database::start()).await;
}

mod only_full {
    use super::Database;

    crate::matrix::rows!("MariaDB", Database::start());
}
