//! The servers of one store: one of them, a master behind Sentinel, or a Cluster.

use tower_wx_session::store::RedisStore;
use tower_wx_session::{Identity, Sessions};

use crate::support::nodes::node_in_real_time;
use crate::support::redis::{
    Client, RedisCluster, RedisSentinel, RedisServer, Release, eventually, replicated, store,
};

pub enum Servers {
    One(RedisServer),
    Sentinel(RedisSentinel),
    Cluster(RedisCluster),
}

impl Servers {
    pub async fn standalone(release: Release) -> Self {
        // From 7.0 on a server has to be told that it may be slowed down.
        let debug: &[&str] = match release {
            Release::Redis6_2_5 => &[],
            _ => &["--enable-debug-command", "yes"],
        };
        Self::One(RedisServer::start_release(release, debug).await)
    }

    pub async fn sentinel(release: Release) -> Self {
        Self::Sentinel(RedisSentinel::start_release(release).await)
    }

    pub async fn cluster(release: Release) -> Self {
        let cluster = RedisCluster::start_release(release).await;
        cluster.serve_what_there_is().await;
        Self::Cluster(cluster)
    }

    pub async fn cluster_with_a_replica(release: Release) -> Self {
        Self::Cluster(RedisCluster::start_with_replica(release).await)
    }

    pub fn url(&self) -> String {
        match self {
            Self::One(server) => server.url(),
            Self::Sentinel(servers) => servers.url(),
            // With a second name: the first server may be the one that dies.
            Self::Cluster(cluster) => {
                format!("{},127.0.0.1:{}", cluster.url(), cluster.servers[1].port)
            }
        }
    }

    pub fn store(&self) -> RedisStore {
        store(&self.url())
    }

    pub fn node(&self) -> Sessions<RedisStore> {
        node_in_real_time(self.store())
    }

    /// All that are masters from the beginning.
    pub fn masters(&self) -> &[RedisServer] {
        match self {
            Self::One(server) => std::slice::from_ref(server),
            Self::Sentinel(servers) => std::slice::from_ref(&servers.master),
            Self::Cluster(cluster) => &cluster.servers,
        }
    }

    /// The master that dies in tests: the one of [`user`](Self::user).
    pub fn master(&self) -> &RedisServer {
        &self.masters()[0]
    }

    /// The master that has a key.
    pub async fn owner(&self, key: &str) -> &RedisServer {
        match self {
            Self::One(_) | Self::Sentinel(_) => self.master(),
            Self::Cluster(cluster) => {
                let client = self.client().await;
                let slot: usize = client.ask(&["CLUSTER", "KEYSLOT", key]).await;
                &cluster.servers[(slot / 5461).min(2)]
            }
        }
    }

    pub async fn owner_of(&self, user: &Identity) -> &RedisServer {
        let tag = format!("{{{:04x}}}", u16::from_be_bytes(user.bucket()));
        self.owner(&tag).await
    }

    pub async fn client(&self) -> Client {
        self.master().client().await
    }

    pub fn replica(&self) -> Option<&RedisServer> {
        match self {
            Self::One(_) => None,
            Self::Sentinel(servers) => Some(&servers.replica),
            Self::Cluster(cluster) => cluster.replica.as_ref(),
        }
    }

    /// A user whom [`master`](Self::master) has.
    pub async fn user(&self) -> Identity {
        for number in 0.. {
            let user = Identity::new("appid", number.to_string());
            if self.owner_of(&user).await.port == self.master().port {
                return user;
            }
        }
        unreachable!("a third of all users is in a Cluster's first master")
    }

    /// Has the replica take over as an operator would, and returns when the master is none any more.
    pub async fn hand_over(&self) {
        match self {
            Self::One(server) => {
                // Nobody listens there.
                let words = ["REPLICAOF", "127.0.0.1", "1"];
                let () = server.client().await.ask(&words).await;
            }
            Self::Sentinel(servers) => {
                let words = ["SENTINEL", "FAILOVER", "sessions"];
                let sentinel = servers.sentinel.client().await;
                eventually("the Sentinel to know the replica well", async || {
                    sentinel.try_ask::<()>(&words).await.is_ok()
                })
                .await;
            }
            Self::Cluster(cluster) => {
                let replica = cluster.replica.as_ref().unwrap().client().await;
                // Redis 6.2.5 would wait for ever for the first byte to be written to the master.
                let () = replica.ask(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await;
            }
        }
        eventually("the master to be none any more", async || {
            // A Sentinel ends the connections of whom it demotes.
            let client = self.client().await;
            let info = client.try_ask::<String>(&["INFO", "replication"]).await;
            info.is_ok_and(|info| info.contains("role:slave"))
        })
        .await;
    }

    /// Waits until the replica has all that was written.
    pub async fn replicated(&self) {
        let (client, replica) = (self.client().await, self.replica().unwrap().client().await);
        replicated(&client, &replica).await;
    }
}
