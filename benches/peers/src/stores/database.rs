use std::error::Error;
use std::time::Duration;

use tower_sessions_0_14::{ExpiredDeletion, SessionStore as PeerStore};
use tower_wx_session::SessionId;
use tower_wx_session::store::AnyStore;

/// A kind of database, which runs, and what keeps sessions in it.
pub(crate) trait Database: Sized {
    type Peer: PeerStore + ExpiredDeletion + Clone;

    const NAME: &'static str;
    /// How many connections the peer has: in its default pool, and as many as ours.
    const POOLS: &'static [u32];
    /// How much longer than its time a session that is over is kept, at the most.
    const KEPT_LONGER: Duration = Duration::ZERO;

    fn start() -> Result<Self, Box<dyn Error>>;

    /// The name with its version.
    async fn version(&self) -> Result<String, Box<dyn Error>>;

    /// Makes an empty database of that name; where it is.
    async fn make(&self, name: &str) -> Result<String, Box<dyn Error>>;

    async fn ours(address: &str) -> Result<AnyStore, Box<dyn Error>>;

    /// The peer, with its table.
    async fn peer(address: &str, connections: u32) -> Result<Self::Peer, Box<dyn Error>>;

    /// What all that is in it takes on the disk.
    async fn bytes(&self, address: &str) -> Result<u64, Box<dyn Error>>;

    /// Whether all that expired is gone.
    async fn has_collected(&self, address: &str, expired: &Expired)
    -> Result<bool, Box<dyn Error>>;
}

/// Sessions of ours that are over, all since the same instant.
pub(crate) struct Expired {
    pub(crate) ours: AnyStore,
    /// The greatest of their ids.
    pub(crate) last: SessionId,
    /// How many sessions there are that are not over.
    pub(crate) others: i64,
}
