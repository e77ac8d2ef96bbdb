//! Wall clocks of nodes that are wrong, and jump while the nodes run.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::fleet::{Fleet, Node};
use super::load::Load;
use super::scenario::{Scenario, all_are, durable_redis, scaled, within};
use super::server::Server;
use crate::support::redis;
use crate::support::wrong_clock::WrongClock;

/// How long a session may go unused, and how long it lasts.
const IDLE: Duration = Duration::from_secs(3);
const LIFETIME: Duration = Duration::from_secs(8);
/// How much later than it should a node may find a session idle: a tenth, and a poll or two of the test.
const LATE: Duration = Duration::from_millis(700);

/// A node with these clocks, and others.
pub async fn node(store: &str, clock: &WrongClock, more: &[(&str, &str)]) -> Node {
    let environment = clock.environment();
    let clock = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let environment: Vec<_> = clock.chain(more.iter().copied()).collect();
    Node::start(store, &environment).await
}

/// Two nodes. The clock of the second begins an hour behind and jumps to and fro, and so do users between
/// the nodes.
pub async fn clocks_jump(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let (url, clock) = (server.url(), WrongClock::new(redis::directory()));
    let seconds = |span: Duration| span.as_secs().to_string();
    let (idle, lifetime) = (seconds(IDLE), seconds(LIFETIME));
    let times = [
        ("IDLE_SECONDS", idle.as_str()),
        ("LIFETIME_SECONDS", &lifetime),
    ];
    let mut fleet = Fleet::start_with(&[&url], &times).await;
    clock.set_hours(-1);
    fleet.nodes.push(node(&url, &clock, &times).await);
    fleet.recovered().await;
    assert_ne!(fleet.hour(0).await, fleet.hour(1).await, "by their Date");

    let began = fleet.history.now();
    let used = fleet.log_in(0, 10).await.start..fleet.log_in(1, 10).await.end;
    let unused = fleet.log_in(0, 10).await.start..fleet.log_in(1, 10).await.end;
    let issued = fleet.history.now();
    let fleet = Arc::new(fleet);
    let load = Load::on(&fleet, &[0, 1], used, 4, scenario.dice);
    for hours in [1, -1, 0, 1] {
        sleep(IDLE / 3).await;
        clock.set_hours(hours);
    }
    for session in unused.clone() {
        fleet.until(session % 2, session, 401).await;
    }
    let found_idle = fleet.history.now() - issued;
    let end = issued + LIFETIME + Duration::from_secs(scaled(1, 5));
    sleep(end.saturating_sub(fleet.history.now())).await;
    load.stop().await;

    let of_used = |asked: &super::history::Asked| !unused.contains(&asked.session);
    let (end_begins, end_is_over) = (
        began + LIFETIME,
        issued + LIFETIME + Duration::from_millis(50),
    );
    let alive = fleet
        .history
        .select(|asked| of_used(asked) && asked.end < end_begins);
    all_are(200, &alive);
    let over = fleet
        .history
        .select(|asked| of_used(asked) && asked.start > end_is_over);
    all_are(401, &over);
    scenario.measured(&format!(
        "{} requests of sessions in use × 200 until their end, {} × 401 from then on; \
         all unused ones found idle {found_idle:.1?} after their login",
        alive.len(),
        over.len()
    ));
    assert!(
        found_idle < within(IDLE + IDLE / 3 + LATE),
        "{found_idle:?}"
    );
}

mod only_full {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes its time: ./test faults runs it"]
    async fn a_clock_that_jumps_ends_nobody_and_revives_nobody() {
        clocks_jump("F12 clock jumps", durable_redis()).await;
    }
}
