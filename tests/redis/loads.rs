//! Loads that come at the same time: few commands, and each its own answer.

use futures_util::future::join_all;
use tower_wx_session::store::{Loaded, RedisStore, SessionStore, StoreError, StoreErrorKind};
use tower_wx_session::{Identity, SessionId};

use super::records::{keep, kind, user};
use super::slot::{Reshard, slot_of};
use crate::support::eventually::eventually;
use crate::support::redis::{Client, RedisCluster, RedisServer, store};

/// Eight at once by themselves, and then two batches.
const AT_ONCE: u8 = 64;

fn other(number: u8) -> Identity {
    Identity::new("appid", format!("user {number}"))
}

/// Sessions of as many users, who are in different slots.
async fn keep_each(store: &RedisStore) -> Vec<SessionId> {
    let mut ids = Vec::new();
    for number in 0..AT_ONCE {
        ids.push(keep(store, &other(number), number).await.0);
    }
    ids
}

async fn load_all(store: &RedisStore, ids: &[SessionId]) -> Vec<Result<Loaded, StoreError>> {
    join_all(ids.iter().map(|id| store.load(*id))).await
}

async fn assert_all_live(store: &RedisStore, ids: &[SessionId]) {
    for (number, loaded) in (0..).zip(load_all(store, ids).await) {
        match loaded {
            Ok(Loaded::Live(record)) => assert_eq!(record.identity, other(number)),
            answer => panic!("{number}: {answer:?}"),
        }
    }
}

/// How often a command was run, and refused.
async fn calls(client: &Client, command: &str) -> [u64; 2] {
    let stats: String = client.ask(&["INFO", "commandstats"]).await;
    let start = format!("cmdstat_{command}:");
    let line = stats.lines().find_map(|line| line.strip_prefix(&start));
    ["calls=", "rejected_calls="].map(|name| {
        let mut fields = line.unwrap_or_default().split(',');
        let count = fields.find_map(|field| field.strip_prefix(name));
        count.map_or(0, |count| count.parse().unwrap())
    })
}

/// Loads all at once; how often each of `GET` and `MGET` was run and refused for that.
async fn cost(store: &RedisStore, client: &Client, ids: &[SessionId]) -> [[u64; 2]; 2] {
    let () = client.ask(&["CONFIG", "RESETSTAT"]).await;
    assert_all_live(store, ids).await;
    [calls(client, "get").await, calls(client, "mget").await]
}

#[tokio::test]
async fn loads_that_come_at_the_same_time_are_few_commands() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let ids = keep_each(&store).await;
    assert_eq!(cost(&store, &client, &ids).await, [[8, 0], [2, 0]]);
    assert_eq!(cost(&store, &client, &ids[..8]).await, [[8, 0], [0, 0]]);
}

#[tokio::test]
async fn what_is_wrong_with_one_record_is_the_matter_of_its_own_session() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let ids = keep_each(&store).await;
    let keys = ids.iter().map(|id| {
        let [high, low] = id.bucket();
        format!("wxs:{{{high:02x}{low:02x}}}:s:{id}")
    });
    let keys: Vec<_> = keys.collect();
    client.set(&keys[10], b"rubbish").await;
    let () = client.ask(&["DEL", &keys[20], &keys[30]]).await;
    let () = client.ask(&["RPUSH", &keys[20], "no record"]).await;
    for (number, loaded) in load_all(&store, &ids).await.into_iter().enumerate() {
        match number {
            10 | 20 => assert_eq!(kind(loaded), StoreErrorKind::Corrupt, "{number}"),
            30 => assert_eq!(loaded.unwrap(), Loaded::NeverSeen),
            _ => assert!(
                matches!(loaded, Ok(Loaded::Live(_))),
                "{number}: {loaded:?}"
            ),
        }
    }
}

#[tokio::test]
async fn where_one_command_may_not_have_all_keys_they_go_one_by_one_from_then_on() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]).await;
    let client = server.client().await;
    let slots: Vec<_> = (0..16_384).map(|slot| slot.to_string()).collect();
    let words = ["CLUSTER", "ADDSLOTS"].into_iter();
    let words: Vec<_> = words.chain(slots.iter().map(String::as_str)).collect();
    let () = client.ask(&words).await;
    // One address, as of a proxy before a Cluster.
    let store = server.store();
    let serves = async || store.now().await.is_ok() && store.writable([0; 2]).await.is_ok();
    eventually("the slots are served", serves).await;
    let ids = keep_each(&store).await;
    let [[got, _], [mget, refused]] = cost(&store, &client, &ids).await;
    assert_eq!((got, mget), (64, 0));
    assert!((1..=2).contains(&refused), "{refused}");
    assert_eq!(cost(&store, &client, &ids).await, [[64, 0], [0, 0]]);
}

#[tokio::test]
async fn a_cluster_is_asked_for_many_at_once_also_while_a_slot_moves() {
    let cluster = RedisCluster::start().await;
    let store = cluster.store();
    let ids = keep_each(&store).await;
    assert_all_live(&store, &ids).await;
    let slot = slot_of(ids[7].bucket());
    let reshard = Reshard::begin(&cluster, slot).await;
    assert_all_live(&store, &ids).await;
    for key in reshard.left().await {
        reshard.move_key(&key).await;
    }
    assert_all_live(&store, &ids).await;
    reshard.finish().await;
    assert_all_live(&store, &ids).await;
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn without_the_right_to_mget_each_is_asked_for_by_itself() {
    use super::rights::{EVERY_STORE, as_node, grant, rules};

    const TOGETHER: &str = "several loads as one command; without it each is a `GET`";

    let server = RedisServer::start().await;
    let client = server.client().await;
    let ids = keep_each(&server.store()).await;
    grant(&client, &rules(&[EVERY_STORE])).await;
    let store = store(&as_node(&server.url()));
    store.load(ids[0]).await.unwrap();
    let [[got, _], [mget, refused]] = cost(&store, &client, &ids).await;
    assert_eq!((got, mget), (64, 0));
    assert!((1..=2).contains(&refused), "{refused}");
    assert_eq!(cost(&store, &client, &ids).await, [[64, 0], [0, 0]]);

    grant(&client, &rules(&[EVERY_STORE, TOGETHER])).await;
    let store = crate::support::redis::store(&as_node(&server.url()));
    store.load(ids[0]).await.unwrap();
    assert_eq!(cost(&store, &client, &ids).await, [[8, 0], [2, 0]]);
}

#[tokio::test]
async fn a_server_that_dies_takes_no_load_along_for_longer_than_it_is_gone() {
    let server = RedisServer::start().await;
    let store = server.store();
    let ids = keep_each(&store).await;
    server.kill();
    let failed = load_all(&store, &ids).await;
    assert!(failed.iter().all(Result::is_err), "{failed:?}");
    server.restart().await;
    let back = async || store.load(ids[0]).await.is_ok();
    eventually("it is found again", back).await;
    let empty = load_all(&store, &ids).await;
    assert!(
        empty
            .iter()
            .all(|loaded| matches!(loaded, Ok(Loaded::NeverSeen)))
    );
    keep(&store, &user(), 1).await;
}
