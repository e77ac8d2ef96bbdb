//! The network between nodes and Redis: slow, reset, cut for one node, dead for links alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::fleet::Fleet;
use super::history::{Bounds, quantile, times};
use super::load::Load;
use super::proxy::Proxy;
use super::scenario::{
    DEADLINE, Scenario, UNLINKED, all_are, durable_redis, linked, scaled, with_status, within,
};
use super::server::Server;

const KNOWN: usize = 60;
const SCHEDULING: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn latency_costs_hits_nothing_and_misses_the_deadline() {
    latency("F4 latency", durable_redis()).await;
}

pub async fn latency(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let proxy = Proxy::before(&server).await;
    let mut fleet = Fleet::start(&[&server.url_at(proxy.address), &server.url()]).await;
    let each = scaled(60, 400);
    fleet.log_in(1, KNOWN + 4 * each).await;
    fleet.get_known(&[0], 0..KNOWN).await;
    let fleet = Arc::new(fleet);
    let mut medians = Vec::new();
    for (number, latency) in [0, 50, 300, 2000].into_iter().enumerate() {
        proxy.change(|weather| weather.latency = Duration::from_millis(latency));
        let began = fleet.history.now();
        let first = KNOWN + number * each;
        let known = Load::on(&fleet, &[0], 0..KNOWN, 4, scenario.dice);
        let others = Load::once_each(&fleet, 0, first..first + each, 4);
        sleep(Duration::from_secs(scaled(1, 8))).await;
        others.stop().await;
        known.stop().await;
        let phase = fleet.history.select(|asked| asked.start >= began);
        let (hits, misses): (Vec<_>, Vec<_>) =
            phase.into_iter().partition(|asked| asked.session < KNOWN);
        all_are(200, &hits);
        let slowest = quantile(times(&misses), 1.0);
        let median = quantile(times(&hits), 0.5);
        scenario.measured(&format!(
            "{latency} ms: hits p50 {median:.1?}, p99 {:.1?}; misses {} × 200, {} × 503, slowest {slowest:.1?}",
            quantile(times(&hits), 0.99),
            with_status(&misses, 200).len(),
            with_status(&misses, 503).len(),
        ));
        let noise = quantile(times(&hits), 0.999);
        assert!(
            slowest <= within(DEADLINE + SCHEDULING) + noise,
            "{slowest:?}"
        );
        medians.push(median);
    }
    // The load of the misses differs from phase to phase, and all share two cores.
    let slowest = medians[1..].iter().max().unwrap();
    assert!(
        *slowest < within(3 * medians[0] + Duration::from_millis(2)),
        "{medians:?}"
    );
    proxy.heal();
    fleet.until(0, KNOWN, 200).await;
    scenario.end(&fleet, &Bounds::others_within(linked()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn resets_are_no_end_of_a_session() {
    resets("F4 resets", durable_redis()).await;
}

pub async fn resets(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let proxy = Proxy::before(&server).await;
    let mut fleet = Fleet::start(&[&server.url_at(proxy.address), &server.url()]).await;
    let unknown = scaled(800, 2000);
    fleet.log_in(1, KNOWN + unknown).await;
    fleet.get_known(&[0], 0..KNOWN).await;
    let fleet = Arc::new(fleet);
    let known = Load::on(&fleet, &[0], 0..KNOWN, 4, scenario.dice);
    let others = Load::once_each(&fleet, 0, KNOWN..KNOWN + unknown, 4);
    let end = Instant::now() + Duration::from_secs(scaled(2, 10));
    while Instant::now() < end {
        sleep(Duration::from_millis(150)).await;
        proxy.change(|weather| weather.resets += 1);
    }
    let back = fleet.until(0, KNOWN + unknown - 1, 200).await;
    others.stop().await;
    known.stop().await;
    all_are(200, &fleet.history.select(|asked| asked.session < KNOWN));
    let others = fleet.history.select(|asked| asked.session >= KNOWN);
    let slowest = quantile(times(&others), 1.0);
    scenario.measured(&format!(
        "slowest miss {slowest:.1?}, well again after {back:.1?}"
    ));
    assert!(back <= within(Duration::from_secs(2)), "{back:?}");
    assert!(slowest <= within(DEADLINE + 2 * SCHEDULING), "{slowest:?}");
    scenario.end(&fleet, &Bounds::others_within(linked()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_link_that_dies_alone() {
    link_dies_alone("F5 link", durable_redis()).await;
}

pub async fn link_dies_alone(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let proxy = Proxy::before(&server).await;
    let mut fleet = Fleet::start(&[&server.url(), &server.url_at(proxy.address)]).await;
    let sessions = fleet.log_in(0, scaled(60, 300)).await;
    fleet.get_known(&[0, 1], sessions.clone()).await;
    let fleet = Arc::new(fleet);
    let load = Load::on(&fleet, &[1], sessions.clone(), 6, scenario.dice);
    sleep(Duration::from_millis(700)).await;
    proxy.change(|weather| weather.swallows_links = true);
    // One after the other: before the node has noticed, while it does, and after.
    let pause = Duration::from_secs(scaled(3, 20)) / sessions.len() as u32;
    for session in sessions.clone() {
        fleet.end(0, session).await;
        sleep(pause).await;
    }
    sleep(Duration::from_secs(4)).await;
    load.stop().await;
    for session in sessions {
        assert_eq!(fleet.ask(1, session).await, 401);
    }
    let missed = fleet.history.missed_for();
    scenario.measured(&format!(
        "missed for p50 {:.1?}, at most {:.1?}",
        quantile(missed.clone(), 0.5),
        quantile(missed, 1.0)
    ));
    scenario.end(
        &fleet,
        &Bounds::others_within(within(Duration::from_secs(3))),
    );
}

/// Three nodes, the last one behind a proxy, and all of them know all sessions.
async fn three_nodes(proxy: &Proxy, server: &impl Server, grace: u64) -> Fleet {
    let (direct, proxied) = (server.url(), server.url_at(proxy.address));
    let stores = [direct.as_str(), &direct, &proxied];
    let mut fleet = Fleet::start_with(&stores, &[("GRACE_SECONDS", &grace.to_string())]).await;
    let sessions = fleet.log_in(0, KNOWN).await;
    fleet.get_known(&[0, 1, 2], sessions).await;
    fleet
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn one_node_cut_off_hears_of_everything_when_it_is_back() {
    one_node_cut_off("F6 healing", durable_redis()).await;
}

pub async fn one_node_cut_off(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let proxy = Proxy::before(&server).await;
    let fleet = Arc::new(three_nodes(&proxy, &server, 60).await);
    let mut bounds = Bounds::others_within(linked());
    let load = Load::on(&fleet, &[0, 1, 2], 0..KNOWN, 3, scenario.dice);
    for round in 0..scaled(2, 3) {
        let cut = fleet.history.now();
        proxy.change(|weather| weather.is_cut = true);
        // The first time it is back before anything had to be confirmed.
        sleep(Duration::from_secs([1, 4, 6][round])).await;
        for session in round * 20..round * 20 + 15 {
            fleet.end(session % 2, session).await;
        }
        sleep(Duration::from_millis(200)).await;
        proxy.heal();
        let healed = fleet.history.now();
        // What the link had vouched for when it was cut counts for 3 s.
        let bound = (healed + linked()).max(cut + UNLINKED + linked());
        bounds = bounds.excuse(2, bound);
        sleep(Duration::from_secs(scaled(2, 4))).await;
        let late = fleet.history.select(|asked| {
            let is_revoked = (round * 20..round * 20 + 15).contains(&asked.session);
            asked.node == 2 && is_revoked && asked.start > healed && asked.status == 200
        });
        let last = late.iter().map(|asked| asked.start - healed).max();
        scenario.measured(&format!(
            "last pass of a revoked session {:.1?} after healing",
            last.unwrap_or_default()
        ));
        assert!(last.unwrap_or_default() <= bound - healed, "{last:?}");
    }
    load.stop().await;
    let untouched = fleet.history.select(|asked| asked.session % 20 >= 15);
    all_are(200, &untouched);
    scenario.end(&fleet, &bounds);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_node_that_stays_cut_off_stops_when_its_grace_ends() {
    node_stays_cut_off("F6 grace", durable_redis()).await;
}

pub async fn node_stays_cut_off(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let proxy = Proxy::before(&server).await;
    let grace = scaled(4, 60);
    let fleet = Arc::new(three_nodes(&proxy, &server, grace).await);
    let load = Load::on(&fleet, &[0, 1, 2], 0..KNOWN, 3, scenario.dice);
    proxy.change(|weather| weather.is_cut = true);
    let cut = fleet.history.now();
    for session in 0..20 {
        fleet.end(0, session).await;
    }
    let grace = Duration::from_secs(grace);
    sleep(grace + Duration::from_secs(2)).await;
    load.stop().await;
    let lonely = fleet
        .history
        .select(|asked| asked.node == 2 && asked.start > cut + grace);
    all_are(503, &lonely);
    let others = fleet
        .history
        .select(|asked| asked.node != 2 && asked.session >= 20);
    all_are(200, &others);
    scenario.end(
        &fleet,
        &Bounds::others_within(linked()).excuse(2, cut + grace),
    );
}
