//! Sentinel and Cluster: failovers, dead masters, slots that move.

use tokio::time::timeout;
use tower_wx_session::Identity;
use tower_wx_session::store::{
    Loaded, RedisStore, Rotate, Rotated, SessionStore, Timestamp, Touch,
};

use super::link::{beats, ended, told};
use super::records::{DEADLINE, HOUR, SECOND, id, keep, logout, user};
use super::slot::{Reshard, slot_of};
use crate::support::redis::{
    Client, RedisCluster, RedisSentinel, RedisServer, Release, eventually,
};
use crate::support::resp2::{RESP2_ONLY, resp2_with_client};

#[tokio::test]
async fn a_failover_is_followed() {
    follow_a_failover(RedisSentinel::start().await).await;
}

#[tokio::test]
async fn a_failover_is_followed_over_resp2() {
    let arguments = resp2_with_client();
    let servers = RedisSentinel::start_release_with(Release::System, arguments).await;
    follow_a_failover(servers).await;
}

async fn follow_a_failover(servers: RedisSentinel) {
    let replica = servers.replica.client().await;
    follows_a_failover(&servers.store(), &servers.master, &replica).await;
}

/// Kills the master: the link says so, the replica is found, and a new link tells of changes.
pub async fn follows_a_failover(store: &RedisStore, master: &RedisServer, replica: &Client) {
    let mut feed = store.subscribe().await.unwrap();
    let (id, _) = keep(store, &user(), 1).await;
    eventually("the replica to have it", async || {
        replica.ask::<usize>(&["DBSIZE"]).await > 0
    })
    .await;
    master.kill();
    assert!(ended(&mut feed).await < 2 * SECOND);
    eventually("the new master", async || {
        let load = timeout(DEADLINE, store.load(id)).await;
        load.is_ok_and(|loaded| matches!(loaded, Ok(Loaded::Live(_))))
    })
    .await;
    let mut feed = store.subscribe().await.unwrap();
    assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]);
    told(&mut feed, id).await;
}

#[tokio::test]
async fn a_cluster_without_one_master_serves_the_others_users() {
    serve_without_one_master(RedisCluster::start().await).await;
}

#[tokio::test]
async fn a_cluster_without_one_master_serves_the_others_users_over_resp2() {
    let cluster = RedisCluster::start_release_with(Release::System, &RESP2_ONLY).await;
    serve_without_one_master(cluster).await;
}

async fn serve_without_one_master(cluster: RedisCluster) {
    let store = cluster.store();
    cluster.serve_what_there_is().await;
    let users: Vec<_> = (0..30u8)
        .map(|number| Identity::new("appid", number.to_string()))
        .collect();
    for user in &users {
        keep(&store, user, 1).await;
    }
    let mut feed = store.subscribe().await.unwrap();
    beats(&mut feed).await;
    cluster.servers[2].pause();
    assert!(ended(&mut feed).await < 2 * SECOND);
    let (mut live, mut silent) = (0, 0);
    for user in &users {
        match timeout(DEADLINE, store.load(id(user, 1))).await {
            Ok(Ok(Loaded::Live(_))) => live += 1,
            Ok(Ok(other)) => panic!("{other:?}"),
            Ok(Err(_)) | Err(_) => silent += 1,
        }
    }
    assert!(live > 0 && silent > 0 && live + silent == 30, "{live}");
    cluster.servers[2].resume();
    eventually("all users", async || {
        for user in &users {
            if !timeout(DEADLINE, store.load(id(user, 1)))
                .await
                .is_ok_and(|l| l.is_ok())
            {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_moves_is_followed() {
    let cluster = RedisCluster::start().await;
    let (store, user) = (cluster.store(), user());
    let (old, _) = keep(&store, &user, 1).await;
    let reshard = Reshard::begin(&cluster, slot_of(user.bucket())).await;
    // Not there any more, and perhaps at the new place: the server says ASK.
    let unknown = id(&user, 9);
    assert_eq!(store.load(unknown).await.unwrap(), Loaded::NeverSeen);
    assert!(
        store
            .touch(Touch::new(unknown, Timestamp::default(), SECOND))
            .await
            .unwrap()
            .is_none()
    );

    for key in reshard.left().await {
        reshard.move_key(&key).await;
    }
    assert!(matches!(store.load(old).await.unwrap(), Loaded::Live(_)));
    reshard.finish().await;
    assert!(matches!(store.load(old).await.unwrap(), Loaded::Live(_)));
    let rotated = store.rotate(Rotate::new(old, id(&user, 2), HOUR)).await;
    assert!(matches!(rotated.unwrap(), Rotated::Done(_)));
    assert_eq!(store.revoke(logout(old)).await.unwrap().len(), 2);
}
