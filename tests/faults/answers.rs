//! What Redis can answer, and what that says about a session: one row per answer.
//!
//! MOVED, ASK and CLUSTERDOWN take a Cluster: `tests/redis` has one.

use std::time::Duration;

use tokio::time::sleep;

use super::fleet::{Fleet, Node};
use super::history::Bounds;
use super::scenario::{Scenario, linked};
use crate::support::redis::{Client, RedisServer};

/// Something is wrong with the server, or with what it holds of session 0.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Nothing,
    FlushAll,
    NoTagKey,
    OutOfMemory,
    ReadOnly,
    Loading,
    Password,
    Evicted,
    OtherType,
    Corrupt,
    Newer,
}

/// What is wrong; what a node answers session 0 that does not know it yet, with the reason; what
/// it answers the session beside it; whether it logs users in.
const TABLE: [(Wrong, u16, &str, u16, u16); 11] = [
    (Wrong::Nothing, 200, "", 200, 200),
    (Wrong::FlushAll, 401, "session_unknown", 401, 200),
    (Wrong::NoTagKey, 200, "", 200, 200),
    (Wrong::OutOfMemory, 200, "", 200, 503),
    (Wrong::ReadOnly, 503, "store_unavailable", 503, 503),
    (Wrong::Loading, 503, "store_unavailable", 503, 503),
    (Wrong::Password, 503, "store_unavailable", 503, 503),
    (Wrong::Evicted, 401, "session_unknown", 200, 200),
    (Wrong::OtherType, 401, "session_unknown", 200, 200),
    (Wrong::Corrupt, 401, "session_unknown", 200, 200),
    (Wrong::Newer, 503, "store_unavailable", 200, 200),
];

impl Wrong {
    async fn make_so(self, client: &Client, record: &str) {
        match self {
            Self::Nothing => {}
            Self::FlushAll => client.ask(&["FLUSHALL"]).await,
            Self::NoTagKey => client.ask(&["DEL", "wxs:tag-key"]).await,
            Self::OutOfMemory => {
                let () = client
                    .ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"])
                    .await;
                let () = client.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
            }
            Self::ReadOnly => {
                // Nobody listens there.
                let () = client.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
                // What it is asked until the next heartbeat it answers as the master it was.
                sleep(Duration::from_secs(1)).await;
            }
            Self::Loading => load_slowly(client).await,
            Self::Password => {
                let () = client
                    .ask(&["CONFIG", "SET", "requirepass", "secret"])
                    .await;
                let _: i64 = client.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
                let _: i64 = client.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
            }
            Self::Evicted => client.ask(&["DEL", record]).await,
            Self::OtherType => {
                let () = client.ask(&["DEL", record]).await;
                let _: i64 = client.ask(&["LPUSH", record, "something else"]).await;
            }
            Self::Corrupt => client.set(record, b"\x01rubbish").await,
            Self::Newer => client.set(record, b"\x02from tomorrow").await,
        }
    }
}

/// Has the server load what it holds again, so slowly that it takes seconds.
async fn load_slowly(client: &Client) {
    for (name, value) in [
        ("key-load-delay", "100000"),
        ("loading-process-events-interval-bytes", "1024"),
    ] {
        let () = client.ask(&["CONFIG", "SET", name, value]).await;
    }
    let client = client.clone();
    tokio::spawn(async move { client.try_ask::<()>(&["DEBUG", "RELOAD"]).await });
    sleep(Duration::from_millis(300)).await;
}

/// A fleet of a node that knows the sessions and one that does not, and what it is to find.
async fn row(scenario: &Scenario, row: (Wrong, u16, &str, u16, u16)) {
    let (wrong, status, reason, beside, login) = row;
    let redis = RedisServer::start_with(&["--enable-debug-command", "yes"]).await;
    let url = redis.url();
    let mut fleet = Fleet::start(&[&url]).await;
    fleet.log_in(0, 1).await;
    let client = redis.client().await;
    let keys = client.keys().await;
    let record = keys
        .iter()
        .find(|key| key.contains("}:s:"))
        .unwrap()
        .clone();
    fleet.log_in(0, 60).await;
    fleet.nodes.push(Node::start(&url, &[]).await);
    fleet.get_known(&[0, 1], 1..2).await;
    fleet.get_known(&[0], 0..3).await;
    wrong.make_so(&client, &record).await;

    let found = fleet.refusal(1, 0).await;
    assert_eq!(found, (status, reason.to_owned()), "{wrong:?}");
    // Known here, and not yet asked about again.
    assert_eq!(fleet.ask(0, 2).await, 200, "{wrong:?}: a known session");
    assert_eq!(
        fleet.ask(1, 2).await,
        beside,
        "{wrong:?}: the session beside it"
    );
    assert_eq!(
        fleet.try_login(1, "another:1").await,
        login,
        "{wrong:?}: login"
    );
    let log = fleet.nodes[1].log();
    let is_damaged = matches!(wrong, Wrong::OtherType | Wrong::Corrupt | Wrong::Newer);
    assert_eq!(log.contains("record"), is_damaged, "{wrong:?}: {log}");
    scenario.measured(&format!(
        "{wrong:?}: {status} {reason}, the session beside it {beside}, login {login}"
    ));
    if !matches!(wrong, Wrong::FlushAll) {
        scenario.end(&fleet, &Bounds::others_within(linked()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn each_answer_of_redis_is_401_or_503() {
    let scenario = Scenario::begin("F10 answers").await;
    for wrong in TABLE {
        row(&scenario, wrong).await;
    }
}
