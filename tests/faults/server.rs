//! What a fault is made on: the server of a store, whichever it is.

use std::net::SocketAddr;
use std::time::Duration;

use tower_wx_session::store::AnyStore;

use crate::support::redis::RedisServer;

pub trait Server: Send + Sync {
    /// What a link sends and no other connection does, in any case of letters.
    fn link_word(&self) -> &'static [u8];

    /// Within this the other nodes refuse what one has revoked, p99, all healthy.
    fn heard_within(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn address(&self) -> SocketAddr;

    /// The URL of the store, for a node that finds its server there.
    fn url_at(&self, address: SocketAddr) -> String;

    fn url(&self) -> String {
        self.url_at(self.address())
    }

    fn store(&self) -> AnyStore;

    /// `kill -9`.
    fn kill(&self);

    /// Starts it again with what it has kept, and waits until it answers.
    fn restart(&self) -> impl Future<Output = ()> + Send;

    /// Has it accept and never answer.
    fn pause(&self);

    fn resume(&self);
}

impl Server for RedisServer {
    fn link_word(&self) -> &'static [u8] {
        b"SUBSCRIBE"
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn url_at(&self, address: SocketAddr) -> String {
        format!("redis://{address}")
    }

    fn store(&self) -> AnyStore {
        AnyStore::new(self.store())
    }

    fn kill(&self) {
        self.kill();
    }

    async fn restart(&self) {
        self.restart().await;
    }

    fn pause(&self) {
        self.pause();
    }

    fn resume(&self) {
        self.resume();
    }
}
