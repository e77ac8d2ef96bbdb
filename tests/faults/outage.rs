//! Redis killed, started again, stopped, or not there yet.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::fleet::{Fleet, Node};
use super::history::{Bounds, quantile, times};
use super::load::Load;
use super::scenario::{
    DEADLINE, Scenario, all_are, durable_redis, is_full, linked, scaled, with_status, within,
};
use super::server::Server;

const KNOWN: usize = 100;
/// How much later than it should a machine with other things to do may have an answer.
const SCHEDULING: Duration = Duration::from_millis(50);

/// Three nodes; the first two know the first sessions, the third has logged in all of them.
async fn fleet(server: &impl Server, unknown: usize, environment: &[(&str, &str)]) -> Arc<Fleet> {
    let url = server.url();
    let mut fleet = Fleet::start_with(&[&url, &url, &url], environment).await;
    fleet.log_in(2, KNOWN + unknown).await;
    fleet.get_known(&[0, 1], 0..KNOWN).await;
    Arc::new(fleet)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn kill_9_under_load() {
    kill_9("F1 kill -9", durable_redis()).await;
}

pub async fn kill_9(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let unknown = scaled(600, 4000);
    let fleet = fleet(&server, unknown, &[]).await;
    let known = Load::on(&fleet, &[0, 1], 0..KNOWN, 4, scenario.dice);
    sleep(Duration::from_millis(500)).await;
    server.kill();
    let killed = fleet.history.now();
    let others = Load::once_each(&fleet, 0, KNOWN..KNOWN + unknown, 8);
    sleep(Duration::from_secs(scaled(2, 12))).await;
    others.stop().await;
    known.stop().await;

    let known = fleet.history.select(|asked| asked.session < KNOWN);
    all_are(200, &known);
    let others = fleet.history.select(|asked| asked.session >= KNOWN);
    all_are(503, &others);
    let noise = quantile(times(&known), 0.99);
    let slowest = quantile(times(&others), 1.0);
    assert!(
        slowest <= within(DEADLINE + SCHEDULING) + noise,
        "{slowest:?}"
    );
    let open = fleet
        .history
        .select(|asked| asked.session >= KNOWN && asked.start > killed + 2 * DEADLINE);
    // The slowest of the requests that wait for nothing says what the machine adds.
    let (median, most) = (quantile(times(&open), 0.5), quantile(times(&open), 0.99));
    let noise = quantile(times(&known), 0.99);
    scenario.measured(&format!(
        "breaker open: 503 in p50 {median:.1?}, p99 {most:.1?}; hits meanwhile p99 {noise:.1?}"
    ));
    assert!(most <= within(Duration::from_millis(5)) + noise, "{most:?}");
    scenario.end(&fleet, &Bounds::others_within(linked()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn the_grace_ends_a_session_at_a_time() {
    let scenario = Scenario::begin("F1 grace").await;
    let redis = durable_redis().await;
    let grace = Duration::from_secs(scaled(4, 60));
    let fleet = fleet(
        &redis,
        0,
        &[("GRACE_SECONDS", &grace.as_secs().to_string())],
    )
    .await;
    let confirmed = fleet.history.now();
    redis.kill();
    let load = Load::on(&fleet, &[0, 1], 0..KNOWN, 2, scenario.dice);
    sleep(grace + Duration::from_secs(2)).await;
    load.stop().await;
    let history = &fleet.history;
    // Between these two the sessions were confirmed, one after the other.
    let began = history.select(|_| true)[0].start;
    all_are(200, &history.select(|asked| asked.end < began + grace));
    all_are(
        503,
        &history.select(|asked| asked.start > confirmed + grace),
    );
    scenario.end(&fleet, &Bounds::others_within(linked()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn restart_after_kill_9() {
    restart("F2 restart", durable_redis()).await;
}

pub async fn restart(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let unknown = scaled(1500, 4000);
    let fleet = fleet(&server, unknown, &[]).await;
    let known = Load::on(&fleet, &[0, 1], 0..KNOWN, 2, scenario.dice);
    server.kill();
    let others = Load::once_each(&fleet, 0, KNOWN..KNOWN + unknown, 4);
    sleep(Duration::from_secs(2)).await;
    server.restart().await;
    let answers = fleet.history.now();
    sleep(Duration::from_secs(scaled(3, 6))).await;
    others.stop().await;
    known.stop().await;

    all_are(200, &fleet.history.select(|asked| asked.session < KNOWN));
    let others = fleet
        .history
        .select(|asked| asked.session >= KNOWN && asked.start > answers);
    let first = with_status(&others, 200)[0].end - answers;
    let last = with_status(&others, 503);
    let last = last
        .last()
        .map_or(Duration::ZERO, |asked| asked.end - answers);
    scenario.measured(&format!(
        "first pass after {first:.1?}, last 503 after {last:.1?}"
    ));
    assert!(first <= within(Duration::from_secs(2)), "{first:?}");
    assert!(last <= within(Duration::from_secs(5)), "{last:?}");
    scenario.end(&fleet, &Bounds::others_within(linked()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_server_that_hangs() {
    hang("F3 SIGSTOP", durable_redis()).await;
}

pub async fn hang(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let unknown = scaled(1200, 6000);
    let fleet = fleet(&server, unknown, &[]).await;
    let known = Load::on(&fleet, &[0, 1], 0..KNOWN, 2, scenario.dice);
    let others = KNOWN..KNOWN + unknown;
    let warm_up = Load::once_each(&fleet, 0, others.start..others.start + 200, 32);
    sleep(Duration::from_secs(1)).await;
    warm_up.stop().await;
    let before = fleet.nodes[0].resident();
    server.pause();
    let paused = fleet.history.now();
    let load = Load::once_each(&fleet, 0, others.start + 200..others.end, 32);
    sleep(Duration::from_secs(scaled(3, 15))).await;
    load.stop().await;
    let after = fleet.nodes[0].resident();
    let ended = fleet.history.now();
    server.resume();
    let back = fleet.until(0, others.end - 1, 200).await;
    known.stop().await;

    all_are(200, &fleet.history.select(|asked| asked.session < KNOWN));
    let hanging = fleet
        .history
        .select(|asked| asked.session >= KNOWN && asked.start > paused && asked.end < ended);
    all_are(503, &hanging);
    let known = fleet.history.select(|asked| asked.session < KNOWN);
    let noise = quantile(times(&known), 0.99);
    let slowest = quantile(times(&hanging), 1.0);
    scenario.measured(&format!(
        "slowest {slowest:.1?} (hits {noise:.1?}), {before} KiB before, {after} KiB after, \
         back after {back:.1?}"
    ));
    assert!(
        slowest <= within(DEADLINE + SCHEDULING) + noise,
        "{slowest:?}"
    );
    assert!(after < before + 10 * 1024, "{before} KiB, then {after} KiB");
    scenario.end(&fleet, &Bounds::others_within(linked()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn cold_start_without_the_store() {
    cold_start("F16 cold start", durable_redis()).await;
}

pub async fn cold_start(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    let url = server.url();
    let mut fleet = Fleet::start(&[&url]).await;
    let sessions = fleet.log_in(0, 20).await;
    server.kill();
    fleet.nodes.push(Node::start(&url, &[]).await);
    for session in sessions.clone() {
        assert_eq!(fleet.ask(1, session).await, 503);
    }
    assert_eq!(fleet.try_login(1, "nobody:1").await, 503);
    sleep(Duration::from_secs(if is_full() { 10 } else { 1 })).await;
    server.restart().await;
    let ready = fleet.until(1, 0, 200).await;
    scenario.measured(&format!("ready after {ready:.1?}"));
    assert!(ready <= within(Duration::from_secs(2)), "{ready:?}");
    fleet.get_known(&[1], sessions).await;
    assert_eq!(fleet.try_login(1, "somebody:1").await, 200);
    scenario.end(&fleet, &Bounds::others_within(linked()));
}
