//! Databases of a Cluster that has more than one.

use tower_wx_session::store::{Loaded, SessionStore, TagKey};

use super::link::{beats, told};
use super::records::{id, keep, logout, user};
use crate::support::redis::{RedisCluster, Release, client, store};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_of_a_cluster_are_apart() {
    let databases = ["--cluster-databases", "16"];
    let cluster = RedisCluster::start_release_with(Release::Valkey9_1_2, &databases).await;
    let [zero, two] = ["", "/2"].map(|database| store(&(cluster.url() + database)));
    let mut link = two.subscribe().await.unwrap();
    beats(&mut link).await;

    let (id, record) = keep(&two, &user(), 1).await;
    assert_eq!(two.load(id).await.unwrap(), Loaded::Live(record));
    assert_eq!(zero.load(id).await.unwrap(), Loaded::NeverSeen);
    let key = TagKey::new(1, [1; 16]);
    assert_eq!(two.tag_keys(key.clone()).await.unwrap(), [key]);
    let other = TagKey::new(2, [2; 16]);
    assert_eq!(zero.tag_keys(other.clone()).await.unwrap(), [other]);

    // Channels are common to all databases.
    keep(&zero, &user(), 2).await;
    zero.revoke(logout(user())).await.unwrap();
    beats(&mut link).await;
    assert_eq!(two.revoke(logout(id)).await.unwrap(), [id]);
    told(&mut link, id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_is_followed_in_another_database() {
    let databases = ["--cluster-databases", "16"];
    let cluster = RedisCluster::start_release_with(Release::Valkey9_1_2, &databases).await;
    let store = store(&(cluster.url() + "/2"));
    let (kept, record) = keep(&store, &user(), 1).await;
    let mut clients = Vec::new();
    for server in &cluster.servers {
        // MIGRATE takes a key from the connection's database.
        clients.push(client(&(server.url() + "/2")).await);
    }
    let key = format!("wxs:{{{:04x}}}:", u16::from_be_bytes(user().bucket()));
    let slot: u16 = clients[0].ask(&["CLUSTER", "KEYSLOT", &key]).await;
    let from = usize::from(slot / 5461).min(2);
    let to = (from + 1) % 3;
    let slot = slot.to_string();
    let names: [String; 2] = [
        clients[from].ask(&["CLUSTER", "MYID"]).await,
        clients[to].ask(&["CLUSTER", "MYID"]).await,
    ];
    let set = ["CLUSTER", "SETSLOT", &slot];
    let import = [&set[..], &["IMPORTING", &names[0]]].concat();
    let () = clients[to].ask(&import).await;
    let migrate = [&set[..], &["MIGRATING", &names[1]]].concat();
    let () = clients[from].ask(&migrate).await;
    let port = cluster.servers[to].port.to_string();
    let keys: Vec<String> = clients[from].keys().await;
    for key in keys.iter().filter(|key| key.contains(":s:")) {
        let words = ["MIGRATE", "127.0.0.1", &port, key, "2", "1000"];
        let () = clients[from].ask(&words).await;
    }
    // The server that takes the slot over is asked in the same database.
    assert_eq!(store.load(kept).await.unwrap(), Loaded::Live(record));
    assert_eq!(store.load(id(&user(), 9)).await.unwrap(), Loaded::NeverSeen);
}
