//! Databases of a Cluster that has more than one.

use tower_wx_session::store::{Loaded, SessionStore, TagKey};

use super::link::{beats, told};
use super::records::{id, keep, logout, user};
use super::slot::{Reshard, slot_of};
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
    let reshard = Reshard::begin(&cluster, slot_of(user().bucket())).await;
    // MIGRATE takes a key from the connection's database.
    let from = client(&(cluster.servers[reshard.from].url() + "/2")).await;
    let keys: Vec<String> = from.keys().await;
    for key in keys.iter().filter(|key| key.contains(":s:")) {
        let words = ["MIGRATE", "127.0.0.1", &reshard.target, key, "2", "1000"];
        let () = from.ask(&words).await;
    }
    // The server that takes the slot over is asked in the same database.
    assert_eq!(store.load(kept).await.unwrap(), Loaded::Live(record));
    assert_eq!(store.load(id(&user(), 9)).await.unwrap(), Loaded::NeverSeen);
}
