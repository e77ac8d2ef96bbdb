//! PostgreSQL killed, stopped, failed over, or out of reach.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::Client;
use tower_wx_session::store::{AnyStore, PostgresStore};

use super::crashes::Trial;
use super::fleet::Fleet;
use super::scenario::{Scenario, scaled};
use super::server::Server;
use super::{crashes, revocation};
use crate::support::eventually::eventually;
use crate::support::postgres::PostgresServer;

impl Server for PostgresServer {
    fn link_word(&self) -> &'static [u8] {
        b"LISTEN"
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://postgres@{address}/postgres")
    }

    fn store(&self) -> AnyStore {
        AnyStore::new(PostgresStore::builder(&self.url()).build().unwrap())
    }

    fn kill(&self) {
        self.kill();
    }

    async fn restart(&self) {
        self.restart().await;
    }

    fn pause(&self) {
        self.pause();
    }

    fn resume(&self) {
        self.resume();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn what_was_acknowledged_outlives_the_server() {
    crashes::server_dies("PostgreSQL killed in mid-write", PostgresServer::start()).await;
}

/// A primary, and a standby that takes its place.
struct Pair {
    primary: PostgresServer,
    standby: PostgresServer,
}

impl Pair {
    async fn start() -> Self {
        let primary = PostgresServer::start().await;
        let standby = primary.standby("standby").await;
        Self { primary, standby }
    }

    /// Has the primary acknowledge nothing that the standby does not have.
    async fn acknowledge_together(&self) {
        let client = self.primary.client().await;
        let names = "ALTER SYSTEM SET synchronous_standby_names = 'standby'";
        client.batch_execute(names).await.unwrap();
        self.primary.reload();
        eventually("the standby to be waited for", async || {
            let waited = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
            !client.query(waited, &[]).await.unwrap().is_empty()
        })
        .await;
    }

    /// Finds whichever of the two takes writes.
    fn url(&self) -> String {
        format!(
            "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs=read-write",
            self.primary.port, self.standby.port
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_promoted_standby_has_all_that_was_acknowledged() {
    let scenario = Scenario::begin("F9 PostgreSQL fails over, nothing lost").await;
    let pair = Pair::start().await;
    pair.acknowledge_together().await;
    let (url, mut dice) = (pair.url(), scenario.dice);
    let mut trial = Trial::begin(scenario, &[&url, &url]).await;
    sleep(Duration::from_secs(1)).await;
    pair.primary.kill();
    trial.outage(&mut dice, || pair.standby.promote()).await;
    sleep(Duration::from_secs(scaled(1, 10))).await;
    trial.end().await;
}

/// Where a client's server has got to in what it writes.
async fn position(client: &Client, function: &str) -> u64 {
    let bytes = format!("SELECT ({function}() - '0/0')::bigint");
    let bytes: i64 = client.query_one(&bytes, &[]).await.unwrap().get(0);
    bytes.unsigned_abs()
}

/// The mirror of the test of Redis: what a failover has lost, the node that revoked says again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_failover_that_loses_a_revocation() {
    let scenario = Scenario::begin("F9 PostgreSQL fails over, revocations lost").await;
    let pair = Pair::start().await;
    let url = pair.url();
    let mut fleet = Fleet::start(&[&url, &url, &url]).await;
    let sessions = fleet.log_in(0, 40).await;
    fleet.get_known(&[0, 1], sessions.clone()).await;
    let (primary, standby) = (pair.primary.client().await, pair.standby.client().await);
    let written = position(&primary, "pg_current_wal_lsn").await;
    eventually("the standby to be in step", async || {
        position(&standby, "pg_last_wal_replay_lsn").await >= written
    })
    .await;
    pair.standby.pause();
    // Or the system would keep for the standby what it is sent.
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_replication";
    primary.query(cut, &[]).await.unwrap();
    for session in 0..20 {
        fleet.end(0, session).await;
    }
    pair.primary.kill();
    pair.standby.resume();
    pair.standby.promote().await;
    let healed = fleet.history.now();
    revocation::lost_revocations_hold_again(&scenario, fleet, sessions, healed).await;
}

mod only_full {
    use crate::support::postgres::PostgresServer;

    crate::matrix::rows!("PostgreSQL", PostgresServer::start());
}
