use tokio_postgres_rustls::MakeRustlsConnect;

use super::names::Names;
use super::server::Server;
use crate::store::StoreError;

/// Where the servers are, and what a store has there.
#[derive(Clone)]
pub(super) struct Settings {
    /// For operations. One of them is the primary.
    pub(super) servers: Vec<Server>,
    /// For links; the same unless a pooler is in between.
    pub(super) link_servers: Vec<Server>,
    pub(super) tls: MakeRustlsConnect,
    pub(super) names: Names,
}

impl Settings {
    /// What is said of servers that take too long.
    pub(super) fn no_answer(servers: &[Server]) -> StoreError {
        let addresses: Vec<_> = servers.iter().map(ToString::to_string).collect();
        let late = format!("{}: no answer in time", addresses.join(", "));
        StoreError::unavailable(late)
    }
}
