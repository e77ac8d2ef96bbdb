use tokio_postgres_rustls::MakeRustlsConnect;

use super::names::Names;
use super::server::Server;

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
