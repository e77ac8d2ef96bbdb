//! Revocations: how fast they are known, and that neither outages nor failovers lose them.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_wx_session::store::RevokeReason;
use tower_wx_session::{Identity, RejectionKind, Sessions};

use super::fleet::Fleet;
use super::history::{Bounds, quantile};
use super::load::Load;
use super::scenario::{Scenario, UNLINKED, durable_redis, linked, scaled, within};
use super::server::Server;
use crate::support::redis::{Client, RedisSentinel, RedisServer, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn every_node_hears_of_a_revocation() {
    everybody_hears("F7 revocations", durable_redis()).await;
}

pub async fn everybody_hears(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let url = server.url();
    let mut fleet = Fleet::start(&[&url, &url, &url]).await;
    let sessions = fleet.log_in(0, scaled(200, 1000)).await;
    fleet.get_known(&[0, 1, 2], sessions.clone()).await;
    let fleet = Arc::new(fleet);
    for session in sessions {
        // Somebody asks all the time, at each of the other nodes.
        let askers = [1, 2].map(|node| {
            let fleet = Arc::clone(&fleet);
            tokio::spawn(async move { while fleet.ask(node, session).await == 200 {} })
        });
        fleet.end(0, session).await;
        assert_eq!(fleet.ask(0, session).await, 401);
        for asker in askers {
            asker.await.unwrap();
        }
    }
    let missed = fleet.history.missed_for();
    let most = quantile(missed.clone(), 0.99);
    scenario.measured(&format!(
        "{} times, missed by another node for p50 {:.1?}, p99 {most:.1?}, at most {:.1?}",
        missed.len(),
        quantile(missed.clone(), 0.5),
        quantile(missed, 1.0)
    ));
    assert!(most <= within(server.heard_within()), "{most:?}");
    scenario.end(&fleet, &Bounds::others_within(linked()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_failover_that_loses_a_revocation() {
    let scenario = Scenario::begin("F9 failover").await;
    let redis = RedisSentinel::start().await;
    let url = redis.url();
    let mut fleet = Fleet::start(&[&url, &url, &url]).await;
    let sessions = fleet.log_in(0, 40).await;
    fleet.get_known(&[0, 1], sessions.clone()).await;
    let link = redis.replica.client().await;
    let master = redis.master.client().await;
    let key_count: u64 = master.ask(&["DBSIZE"]).await;
    eventually("the replica to be in step", async || {
        link.ask::<u64>(&["DBSIZE"]).await == key_count
    })
    .await;
    redis.replica.pause();
    // Or the system would keep for the replica what it is sent.
    let _: i64 = master.ask(&["CLIENT", "KILL", "TYPE", "replica"]).await;
    let cut_off_at = replication(&master, "master_repl_offset").await;
    for session in 0..20 {
        fleet.end(0, session).await;
    }
    redis.master.kill();
    redis.replica.resume();
    // A Sentinel ends the connections of whom it promotes.
    eventually("the replica to be made the master", async || {
        let asked = redis.replica.client().await;
        let info = asked.try_ask::<String>(&["INFO", "replication"]).await;
        info.is_ok_and(|info| info.contains("role:master"))
    })
    .await;
    let healed = fleet.history.now();
    let promoted = redis.replica.client().await;
    let taken_over_at = replication(&promoted, "second_repl_offset").await;
    assert!(taken_over_at <= cut_off_at + 1, "nothing was lost");
    lost_revocations_hold_again(&scenario, fleet, sessions, healed).await;
}

/// After a failover that was over at `healed`, and has lost that the first twenty sessions were revoked.
pub async fn lost_revocations_hold_again(
    scenario: &Scenario,
    fleet: Fleet,
    sessions: Range<usize>,
    healed: Duration,
) {
    let fleet = Arc::new(fleet);
    let load = Load::on(&fleet, &[0, 1, 2], sessions, 3, scenario.dice);
    sleep(Duration::from_secs(scaled(4, 10))).await;
    load.stop().await;
    let passed = fleet
        .history
        .select(|asked| asked.session < 20 && asked.start > healed && asked.status == 200);
    let last = passed.iter().map(|asked| asked.start - healed).max();
    scenario.measured(&format!(
        "{} passes of lost revocations, the last one {:.1?} after the promotion",
        passed.len(),
        last.unwrap_or_default()
    ));
    for node in 0..3 {
        for session in 0..20 {
            fleet.until(node, session, 401).await;
        }
        fleet.until(node, 30, 200).await;
    }
    // Until the node that revoked has a link to the new master, the others believe that one.
    let bounds = (1..3).fold(Bounds::others_within(linked()), |bounds, node| {
        bounds.excuse(node, healed + within(FOUND_WITHIN))
    });
    scenario.end(&fleet, &bounds);
}

/// A number of a server's `INFO replication`.
async fn replication(server: &Client, name: &str) -> u64 {
    let info: String = server.ask(&["INFO", "replication"]).await;
    let value = info.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key == name).then_some(value)
    });
    value.unwrap().parse().unwrap()
}

/// Within this a node has a link to a new master: the longest pause between two probes, that
/// between two links, and the search.
pub const FOUND_WITHIN: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn revocations_while_the_store_is_down() {
    revoke_while_down("F17 pending", durable_redis()).await;
}

pub async fn revoke_while_down(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let url = server.url();
    let mut fleet = Fleet::start(&[&url, &url, &url]).await;
    let sessions = fleet.log_in(0, 60).await;
    fleet.get_known(&[0, 1], sessions.clone()).await;
    let fleet = Arc::new(fleet);
    server.kill();
    sleep(Duration::from_secs(scaled(1, 10))).await;
    let mut bounds = Bounds::others_within(linked());
    for session in 0..40 {
        assert_eq!(fleet.log_out(0, session).await, 202);
        assert_eq!(fleet.ask(0, session).await, 401);
    }
    let load = Load::on(&fleet, &[0, 1, 2], sessions, 3, scenario.dice);
    sleep(Duration::from_secs(1)).await;
    server.restart().await;
    // The node has recovered when it finds that out, at its next probe.
    fleet.until(0, 59, 200).await;
    while fleet.try_login(0, "a-probe:1").await != 200 {
        sleep(Duration::from_millis(5)).await;
    }
    let recovered = fleet.history.now();
    for node in [1, 2] {
        // What a node has confirmed before its link was back counts for 3 s.
        bounds = bounds.excuse(node, recovered + linked() + UNLINKED);
    }
    sleep(linked() + UNLINKED + Duration::from_secs(1)).await;
    load.stop().await;
    let passed = fleet
        .history
        .select(|asked| asked.session < 40 && asked.start > recovered && asked.status == 200);
    let last = passed.iter().map(|asked| asked.start - recovered).max();
    scenario.measured(&format!(
        "the last pass of a revoked session {:.1?} after the recovery",
        last.unwrap_or_default()
    ));
    for node in 0..3 {
        for session in 0..40 {
            assert_eq!(fleet.ask(node, session).await, 401, "node {node}");
        }
    }
    scenario.end(&fleet, &bounds);
}

/// In this process, because the example server does not have so short a queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_full_queue_of_revocations_says_so() {
    let _scenario = Scenario::begin("F17 full queue").await;
    let redis = RedisServer::start_with(&["--appendonly", "yes"]).await;
    let sessions = Sessions::builder(redis.store()).pending_revocations(2);
    let sessions = sessions.build().unwrap();
    let mut issued = Vec::new();
    for number in 0..3 {
        let user = Identity::new("appid", number.to_string());
        issued.push(sessions.issue(user).await.unwrap());
    }
    redis.kill();
    let start = Instant::now();
    let mut answers = Vec::new();
    for issued in &issued {
        let id = issued.session().id();
        let answer = sessions.revoke(id, RevokeReason::LoggedOut).await;
        answers.push(answer.map_err(|rejection| rejection.kind()).is_ok());
    }
    assert_eq!(answers, [true, true, false]);
    assert!(start.elapsed() < within(Duration::from_secs(1)));
    let refusal = sessions.check(issued[0].token().expose()).await;
    assert_eq!(refusal.unwrap_err().kind(), RejectionKind::SessionRevoked);
}
