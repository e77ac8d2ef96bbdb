//! Every link of a Cluster hears of every change once, also while slots move.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tower_wx_session::store::{
    Feed, FeedEvent, Insert, Record, RedisStore, Revoke, RevokeReason, SessionStore,
};
use tower_wx_session::{Identity, SessionId};

use super::cluster::{SECOND, users};
use crate::support::redis::{Client, RedisCluster, RedisServer, eventually};

/// A store that announces on a channel per master, or on the common one.
fn announcing(cluster: &RedisCluster, per_master: bool) -> RedisStore {
    let builder = RedisStore::builder(&cluster.url()).announce_per_master(per_master);
    builder.build().unwrap()
}

/// Whether each link tells of each of these sessions so often.
async fn tell([one, other]: &mut [Feed; 2], ids: &[SessionId], times: usize) {
    let told = tokio::join!(told(one, ids), told(other, ids));
    let each = vec![times; ids.len()];
    assert_eq!(told, (each.clone(), each));
}

/// How often a link tells of each of these sessions within a second, or until it ends.
async fn told(link: &mut Feed, ids: &[SessionId]) -> Vec<usize> {
    let mut told = vec![0; ids.len()];
    let listen = async {
        loop {
            let Some(event) = link.next().await else {
                return;
            };
            if let FeedEvent::Changed(changed) = event {
                for (count, id) in told.iter_mut().zip(ids) {
                    *count += changed.iter().filter(|changed| *changed == id).count();
                }
            }
        }
    };
    let _ = timeout(SECOND, listen).await;
    told
}

/// Keeps a session of each of the users, and ends it.
async fn keep_and_end(store: &RedisStore, users: &[Identity]) -> Vec<SessionId> {
    let mut ids = Vec::new();
    for user in users {
        let id = keep(store, user).await;
        end(store, id).await;
        ids.push(id);
    }
    ids
}

async fn end(store: &RedisStore, id: SessionId) {
    let revoke = Revoke::new(id, RevokeReason::LoggedOut);
    assert_eq!(store.revoke(revoke).await.unwrap(), [id]);
}

async fn keep(store: &RedisStore, user: &Identity) -> SessionId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 18];
    bytes[10..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes[..2].copy_from_slice(&user.bucket());
    let id = SessionId::from_bytes(bytes);
    let now = store.now().await.unwrap();
    let record = Record::issued(user.clone(), now, 60 * SECOND, 60 * SECOND, None);
    store.insert(Insert::new(id, record)).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_is_told_of_a_change_once() {
    let cluster = RedisCluster::start().await;
    let users = users(&cluster.servers[0].client().await, 3).await.concat();
    let common = announcing(&cluster, false);
    let own = announcing(&cluster, true);
    let mut links = [
        common.subscribe().await.unwrap(),
        own.subscribe().await.unwrap(),
    ];
    // A master that was found just now is not known to every link.
    for (store, times) in [(&common, 3), (&own, 3)] {
        let ids = keep_and_end(store, &users).await;
        tell(&mut links, &ids, times).await;
    }
    let [one, other] = &mut links;
    tokio::join!(told_for(one, 5 * SECOND), told_for(other, 5 * SECOND));
    for (store, times) in [(&common, 3), (&own, 1)] {
        let ids = keep_and_end(store, &users).await;
        tell(&mut links, &ids, times).await;
    }
}

/// Takes in what a link tells for so long.
async fn told_for(link: &mut Feed, span: Duration) {
    let _ = timeout(span, async { while link.next().await.is_some() {} }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_a_slot_that_moves_reaches_every_link() {
    let cluster = RedisCluster::start().await;
    let to = &cluster.servers[1];
    let told = told_while_a_slot_moves(&cluster, to).await;
    assert!(told.concat().iter().all(|times| *times > 0), "{told:?}");
    // Once at a master that was known to have it, by all where the call was sent on.
    assert_eq!([told[0], told[1], told[3]], [[1, 1], [3, 3], [1, 1]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_at_a_master_that_has_just_joined_reaches_every_link() {
    let cluster = RedisCluster::start().await;
    let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
    let new = RedisServer::start_with(&arguments).await;
    let first = cluster.servers[0].port.to_string();
    let words = ["CLUSTER", "MEET", "127.0.0.1", &first];
    let () = new.client().await.ask(&words).await;
    for server in cluster.servers.iter().chain([&new]) {
        let client = server.client().await;
        eventually("the new server to be known", async || {
            let info: String = client.ask(&["CLUSTER", "INFO"]).await;
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:4")
        })
        .await;
    }
    let told = told_while_a_slot_moves(&cluster, &new).await;
    assert!(told.concat().iter().all(|times| *times > 0), "{told:?}");
}

/// How often links that are open before each step of a move hear of two changes after it.
async fn told_while_a_slot_moves(cluster: &RedisCluster, to: &RedisServer) -> Vec<[usize; 2]> {
    let client = cluster.servers[0].client().await;
    let user = users(&client, 1).await[0][0].clone();
    let (own, other) = (announcing(cluster, true), announcing(cluster, false));
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(keep(&own, &user).await);
    }
    sleep(5 * SECOND).await;

    let slot_move = Move::new(cluster, to, &user).await;
    let mut heard = Vec::new();
    for (step, ids) in ids.chunks(2).enumerate() {
        let mut link = looking_at_the_cluster(&other).await;
        slot_move.step(step).await;
        for id in ids {
            end(&own, *id).await;
        }
        let told = told(&mut link, ids).await;
        heard.push([told[0], told[1]]);
    }
    heard
}

/// A link that has looked at who is there; half a second later it looks again. One that is open while
/// the servers still agree on their epochs ends, as it should, and the next one is opened.
async fn looking_at_the_cluster(store: &RedisStore) -> Feed {
    for _ in 0..20 {
        let mut link = store.subscribe().await.unwrap();
        if matches!(link.next().await, Some(FeedEvent::Heartbeat(_))) {
            return link;
        }
    }
    panic!("no link lives to its first heartbeat");
}

/// Moves a user's slot from the first server to another one, step by step.
struct Move {
    from: Client,
    to: Client,
    others: Vec<Client>,
    /// The names of both.
    names: [String; 2],
    slot: String,
    port: String,
}

impl Move {
    async fn new(cluster: &RedisCluster, to: &RedisServer, user: &Identity) -> Self {
        let from = cluster.servers[0].client().await;
        let mut others = Vec::new();
        for other in &cluster.servers[1..] {
            others.push(other.client().await);
        }
        let key = format!("wxs:{{{:04x}}}:", u16::from_be_bytes(user.bucket()));
        let slot: u16 = from.ask(&["CLUSTER", "KEYSLOT", &key]).await;
        let port = to.port.to_string();
        let to = to.client().await;
        let names = [
            from.ask(&["CLUSTER", "MYID"]).await,
            to.ask(&["CLUSTER", "MYID"]).await,
        ];
        Self {
            from,
            to,
            others,
            names,
            slot: slot.to_string(),
            port,
        }
    }

    async fn step(&self, step: usize) {
        let [from, to] = &self.names;
        match step {
            0 => {
                self.set_slot(&self.to, &["IMPORTING", from]).await;
                self.set_slot(&self.from, &["MIGRATING", to]).await;
            }
            1 => self.move_keys().await,
            2 => self.set_slot(&self.to, &["NODE", to]).await,
            _ => {
                for client in self.others.iter().chain([&self.from]) {
                    self.set_slot(client, &["NODE", to]).await;
                }
            }
        }
    }

    async fn set_slot(&self, client: &Client, words: &[&str]) {
        let words = [&["CLUSTER", "SETSLOT", &self.slot], words].concat();
        let () = client.ask(&words).await;
    }

    async fn move_keys(&self) {
        let words = ["CLUSTER", "GETKEYSINSLOT", &self.slot, "100"];
        let keys: Vec<String> = self.from.ask(&words).await;
        for key in keys {
            let migrate = ["MIGRATE", "127.0.0.1", &self.port, &key, "0", "1000"];
            let () = self.from.ask(&migrate).await;
        }
    }
}
