//! Revocations against everything else that can happen to a session at the same time.
//!
//! The nodes are in this process: a race of HTTP requests is lost before it begins.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{sleep, timeout};
use tower_wx_session::store::{AnyStore, RevokeReason};
use tower_wx_session::{Identity, Sessions};

use super::scenario::{Dice, Scenario, linked, scaled};
use super::server::Server;
use crate::support::redis::RedisServer;

type Node = Sessions<AnyStore>;

/// Races that go on next to each other.
const AT_ONCE: usize = 64;

fn rounds() -> usize {
    let rounds = std::env::var("FAULT_ROUNDS").ok();
    rounds.map_or_else(|| scaled(1000, 20_000), |rounds| rounds.parse().unwrap())
}

async fn is_live(node: &Node, token: &str) -> bool {
    node.check(token).await.is_ok()
}

/// One session, revoked on one node while both use, load and rotate it and it drops out of a
/// cache; the tokens that have to be dead then.
async fn race(nodes: [Node; 2], round: usize, mut dice: Dice) -> Vec<String> {
    let user = Identity::new("appid", format!("user-{round}"));
    let issued = nodes[0].issue(user.clone()).await.unwrap();
    let token = issued.token().expose().to_owned();
    let id = issued.session().id();
    if dice.below(2) == 0 {
        assert!(is_live(&nodes[1], &token).await);
    }
    let mut late = dice;
    let mut pause = move || sleep(Duration::from_micros(late.below(1500) as u64));
    let by_user = dice.below(4) == 0;
    let revoke = async {
        pause().await;
        if by_user {
            nodes[0].revoke_user(&user).await.unwrap();
        } else {
            nodes[0].revoke(id, RevokeReason::LoggedOut).await.unwrap();
        }
        // From here on the node that has revoked refuses, at once and for ever.
        assert!(!is_live(&nodes[0], &token).await, "round {round}");
    };
    let check = async |node: &Node| {
        for _ in 0..4 {
            let _ = node.check(&token).await;
            sleep(Duration::from_micros(200)).await;
        }
    };
    let mut other = dice.split(1);
    let rotate = async {
        sleep(Duration::from_micros(other.below(1500) as u64)).await;
        nodes[other.below(2)].rotate(id).await.ok()
    };
    let ((), (), (), rotated) = tokio::join!(revoke, check(&nodes[0]), check(&nodes[1]), rotate);
    let successor = rotated.map(|issued| issued.token().expose().to_owned());
    [Some(token), successor].into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn nothing_brings_a_revoked_session_back() {
    races("F8 races", RedisServer::start()).await;
}

pub async fn races(name: &'static str, server: impl Future<Output = impl Server>) {
    let scenario = Scenario::begin(name).await;
    let server = server.await;
    race_on(&scenario, || server.store()).await;
}

/// Two nodes at a store, and a third one that comes in the end.
pub async fn race_on(scenario: &Scenario, store: impl Fn() -> AnyStore) {
    // So few that sessions drop out of the caches all the time.
    let node = || Sessions::builder(store()).cache_capacity(16);
    let node = || {
        node()
            .store_deadline(Duration::from_secs(5))
            .build()
            .unwrap()
    };
    let nodes = [node(), node()];
    let rounds = rounds();
    let races = (0..rounds).map(|round| {
        let dice = scenario.dice.split(round as u64);
        tokio::spawn(race(nodes.clone(), round, dice))
    });
    let mut races = futures_util::stream::iter(races).buffered(AT_ONCE);
    let (mut tokens, mut rotated) = (Vec::new(), 0);
    while let Some(dead) = races.next().await {
        let dead = dead.unwrap();
        rotated += dead.len() - 1;
        for token in &dead {
            assert!(
                !is_live(&nodes[0], token).await,
                "on the node that has revoked it"
            );
            let gone = async { while is_live(&nodes[1], token).await {} };
            timeout(linked(), gone)
                .await
                .expect("dead on the other node, too");
        }
        tokens.extend(dead);
    }
    drop(races);
    let mut resurrected = 0;
    for node in [&nodes[0], &nodes[1], &node()] {
        for token in &tokens {
            resurrected += usize::from(is_live(node, token).await);
        }
    }
    scenario.measured(&format!(
        "{rounds} rounds, {rotated} of them rotated before they were revoked, \
         {resurrected} resurrections"
    ));
    assert!(rotated > 0, "rotations never won");
    assert!(rotated < rounds, "rotations always won");
    assert_eq!(resurrected, 0);
}
