//! Servers and nodes that are killed in the middle of writes, again and again, while users do everything
//! that users do: whatever was acknowledged is there afterwards.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::fleet::Fleet;
use super::history::Bounds;
use super::scenario::{Dice, Scenario, UNLINKED, durable_redis, linked, scaled, within};
use super::server::Server;
use super::users::Crowd;

const USERS: usize = 24;

/// A fleet, and users who do not stop.
pub struct Trial {
    scenario: Scenario,
    fleet: Arc<Fleet>,
    crowd: Crowd,
    bounds: Bounds,
}

impl Trial {
    pub async fn begin(scenario: Scenario, stores: &[&str]) -> Self {
        let fleet = Arc::new(Fleet::start(stores).await);
        fleet.recovered().await;
        let users: Vec<_> = (0..USERS).map(|user| format!("user-{user}")).collect();
        let crowd = Crowd::of(&fleet, &users, scenario.dice);
        Self {
            scenario,
            fleet,
            crowd,
            bounds: Bounds::others_within(within(UNLINKED)),
        }
    }

    /// Something fails for a moment, with writes in flight, and everybody goes on.
    pub async fn outage(&mut self, dice: &mut Dice, mend: impl AsyncFnOnce()) {
        let from = self.fleet.history.now();
        sleep(a_moment(dice)).await;
        mend().await;
        self.fleet.recovered().await;
        // Ends of sessions that were pending are done within that, too. What a link has vouched for counts for 3 s.
        let until = self.fleet.history.now() + linked() + UNLINKED;
        self.bounds = self.bounds.clone().outage(from, until);
    }

    /// Stops, and fails unless every session is what it has to be, at every node.
    pub async fn end(self) {
        sleep(Duration::from_millis(500)).await;
        let report = self.crowd.stop().await;
        self.scenario.measured(&format!(
            "lost {}, resurrected {}: {}",
            report.lost,
            report.alive,
            report.figures()
        ));
        self.scenario.end(&self.fleet, &self.bounds);
        assert_eq!((report.lost, report.alive, report.strange()), (0, 0, 0));
        report.has_done_everything(scaled(0, 5));
    }
}

fn a_moment(dice: &mut Dice) -> Duration {
    Duration::from_millis(200 + dice.below(800) as u64)
}

/// Two nodes, whose server dies.
pub async fn server_dies(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let (server, mut dice) = (server.await, scenario.dice);
    let url = server.url();
    let mut trial = Trial::begin(scenario, &[&url, &url]).await;
    for _ in 0..scaled(2, 10) {
        sleep(a_moment(&mut dice)).await;
        server.kill();
        trial.outage(&mut dice, || server.restart()).await;
        // Or what is pending would be so for one more outage.
        sleep(Duration::from_secs(1)).await;
    }
    trial.end().await;
}

/// The nodes of a fleet die, one after the other. A store that is in the node dies with it.
pub async fn nodes_die(scenario: Scenario, stores: &[&str]) {
    let mut dice = scenario.dice;
    let trial = Trial::begin(scenario, stores).await;
    trial.crowd.expect_dead_nodes();
    for node in (0..stores.len()).cycle().take(scaled(3, 20)) {
        sleep(Duration::from_millis(500) + a_moment(&mut dice)).await;
        trial.fleet.nodes[node].kill();
        sleep(a_moment(&mut dice)).await;
        trial.fleet.nodes[node].restart().await;
        trial.fleet.recovered().await;
    }
    trial.end().await;
}

/// The nodes of a fleet at one server.
pub async fn nodes_at(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let url = server.url();
    nodes_die(scenario, &[&url, &url, &url]).await;
}

mod only_full {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes its time: ./test faults runs it"]
    async fn what_was_acknowledged_outlives_the_server() {
        server_dies("server killed in mid-write", durable_redis()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes its time: ./test faults runs it"]
    async fn what_was_acknowledged_outlives_the_node() {
        nodes_at("nodes killed in mid-write", durable_redis()).await;
    }
}
