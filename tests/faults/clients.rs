//! Clients: too many at once, and gone in the middle of a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_wx_session::store::RedisStore;
use tower_wx_session::{Identity, RejectionKind, Sessions};

use super::fleet::Fleet;
use super::history::{Bounds, quantile};
use super::scenario::{DEADLINE, Scenario, durable_redis, linked, scaled, within};
use crate::support::redis::{Client, RedisServer, eventually};

const CROWD: usize = 10_000;

/// How many loads a server has been asked for.
async fn loads(client: &Client) -> u64 {
    let info: String = client.ask(&["INFO", "commandstats"]).await;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_get:calls="));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

async fn check_all(node: &Sessions<RedisStore>, tokens: &[String]) -> Vec<Option<RejectionKind>> {
    let mut checks = JoinSet::new();
    for token in tokens.iter().cycle().take(CROWD) {
        let (node, token) = (node.clone(), token.clone());
        checks.spawn(async move { node.check(&token).await.err().map(|no| no.kind()) });
    }
    checks.join_all().await
}

async fn log_in(node: &Sessions<RedisStore>, users: usize) -> Vec<String> {
    let logins = (0..users).map(|number| async move {
        let user = Identity::new("appid", number.to_string());
        let issued = node.issue(user).await.unwrap();
        issued.token().expose().to_owned()
    });
    futures_util::stream::iter(logins)
        .buffered(64)
        .collect()
        .await
}

/// In this process: so many clients need no sockets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn a_crowd_on_cold_sessions() {
    let scenario = Scenario::begin("F13 crowd").await;
    let redis = RedisServer::start().await;
    let client = redis.client().await;
    // Ten thousand tasks and the test share two cores: the deadline is no part of this.
    let patient = || {
        let node = Sessions::builder(redis.store()).store_deadline(Duration::from_secs(20));
        node.build().unwrap()
    };
    let tokens = log_in(&patient(), CROWD).await;
    let node = patient();
    assert_eq!(node.check(&tokens[0]).await.err().map(|no| no.kind()), None);
    // What was loaded before the link was up would be asked about again.
    sleep(Duration::from_secs(2)).await;
    let before = loads(&client).await;
    let answers = check_all(&node, &tokens[1..2]).await;
    let of_one = loads(&client).await - before;
    assert!(answers.iter().all(Option::is_none));
    assert_eq!(of_one, 1);

    let node = Sessions::new(redis.store());
    eventually("one session to be known", async || {
        node.check(&tokens[0]).await.is_ok()
    })
    .await;
    let before = loads(&client).await;
    redis.pause();
    let start = Instant::now();
    let answers = check_all(&node, &tokens[1..]).await;
    let took = start.elapsed();
    redis.resume();
    let unavailable = Some(RejectionKind::StoreUnavailable);
    // The first session is known, and comes round once.
    let failed = answers
        .iter()
        .filter(|answer| **answer == unavailable)
        .count();
    sleep(Duration::from_secs(2)).await;
    let at_once = loads(&client).await - before;
    scenario.measured(&format!(
        "one session: {of_one} load; {failed} sessions at a server that hangs: {at_once} loads \
         reached it, all answered after {took:.1?}"
    ));
    assert_eq!(failed, CROWD);
    // 256 at the same time; a few more until the breaker opens take the places of the late ones.
    assert!(at_once <= 2 * 256, "{at_once}");
    eventually("all to pass", async || {
        let answers = check_all(&node, &tokens[1..100]).await;
        answers.iter().all(Option::is_none)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn clients_that_hang_up() {
    let scenario = Scenario::begin("F15 hang-ups").await;
    let redis = durable_redis().await;
    let url = redis.url();
    let mut fleet = Fleet::start(&[&url, &url]).await;
    let sessions = fleet.log_in(1, scaled(400, 3000)).await;
    fleet.get_known(&[0], 0..50).await;
    let before = fleet.nodes[0].resident();
    let fleet = Arc::new(fleet);
    let hung_up = Arc::new(AtomicUsize::new(0));
    let end = Instant::now() + Duration::from_secs(scaled(3, 20));
    let mut clients = JoinSet::new();
    for number in 0..24 {
        let (fleet, hung_up) = (Arc::clone(&fleet), Arc::clone(&hung_up));
        let mut dice = scenario.dice.split(number);
        let count = sessions.len();
        clients.spawn(async move {
            while Instant::now() < end {
                let patience = Duration::from_micros(dice.below(8000) as u64);
                let gone = if dice.below(20) == 0 {
                    let user = format!("fickle-{number}:{}", dice.below(1_000_000));
                    timeout(patience, fleet.try_login(0, &user)).await.is_err()
                } else {
                    let asked = fleet.ask(0, dice.below(count));
                    timeout(patience, asked).await.is_err()
                };
                hung_up.fetch_add(usize::from(gone), Ordering::Relaxed);
            }
        });
    }
    clients.join_all().await;
    fleet.get_known(&[0], sessions).await;
    let after = fleet.nodes[0].resident();
    let hung_up = hung_up.load(Ordering::Relaxed);
    scenario.measured(&format!(
        "{hung_up} requests dropped; {before} KiB before, {after} KiB after"
    ));
    assert!(hung_up > scaled(100, 1000), "{hung_up}");
    assert!(after < before + 30 * 1024, "{before} KiB, then {after} KiB");
    let slow = fleet
        .history
        .select(|asked| asked.took() > within(DEADLINE + DEADLINE));
    assert!(
        slow.is_empty(),
        "{:?}",
        quantile(super::history::times(&slow), 1.0)
    );
    scenario.end(&fleet, &Bounds::others_within(linked()));
}
