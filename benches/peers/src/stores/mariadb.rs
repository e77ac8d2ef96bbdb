use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use sqlx::mysql::{MySqlConnection, MySqlPoolOptions};
use sqlx::{Connection, query, query_scalar};
use tower_sessions_sqlx_store::MySqlStore as Peer;
use tower_wx_session::store::{AnyStore, MySqlStore};

use super::database::{Database, Expired};
use super::server::Server;

/// Where Debian has the server.
const USUAL: &str = "/usr/sbin/mariadbd";

/// A real MariaDB with the settings that it comes with: what is committed is on the disk.
pub(crate) struct MariaDb(Server);

impl Database for MariaDb {
    type Peer = Peer;

    const NAME: &'static str = "MariaDB";
    const POOLS: &'static [u32] = &[10, 16];

    fn start() -> Result<Self, Box<dyn Error>> {
        let mut server = Server::new("mariadb", "-KILL")?;
        let data = format!("--datadir={}", server.data().display());
        let made = [
            "--no-defaults",
            &data,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ];
        server.prepare("mariadb-install-db".as_ref(), made)?;
        let port = format!("--port={}", server.port);
        let socket = format!("--socket={}/socket", server.data().display());
        let started = [
            "--no-defaults",
            &data,
            &port,
            &socket,
            "--bind-address=127.0.0.1",
            "--max-connections=200",
        ];
        server.start(&program(), started)?;
        Ok(Self(server))
    }

    async fn version(&self) -> Result<String, Box<dyn Error>> {
        let mut connection = self.connect().await?;
        let version = query_scalar::<_, String>("SELECT version()");
        let version = version.fetch_one(&mut connection).await?;
        let number = version.split('-').next().unwrap_or_default();
        Ok(format!("{} {number}", Self::NAME))
    }

    async fn make(&self, name: &str) -> Result<String, Box<dyn Error>> {
        let mut connection = self.connect().await?;
        let create = format!("CREATE DATABASE {name}");
        query(&create).execute(&mut connection).await?;
        Ok(self.url(name))
    }

    async fn ours(address: &str) -> Result<AnyStore, Box<dyn Error>> {
        Ok(AnyStore::new(MySqlStore::builder(address).build()?))
    }

    async fn peer(address: &str, connections: u32) -> Result<Self::Peer, Box<dyn Error>> {
        let pool = MySqlPoolOptions::new().max_connections(connections);
        let (_, name) = address.rsplit_once('/').unwrap_or_default();
        let peer = Peer::new(pool.connect(address).await?);
        let peer = peer.with_schema_name(name)?;
        peer.migrate().await?;
        Ok(peer)
    }

    async fn bytes(&self, address: &str) -> Result<u64, Box<dyn Error>> {
        let (_, name) = address.rsplit_once('/').unwrap_or_default();
        let mut bytes = 0;
        for file in fs::read_dir(self.0.data().join(name))? {
            bytes += file?.metadata()?.len();
        }
        Ok(bytes)
    }

    async fn has_collected(
        &self,
        address: &str,
        expired: &Expired,
    ) -> Result<bool, Box<dyn Error>> {
        let mut connection = MySqlConnection::connect(address).await?;
        let held = query_scalar::<_, i64>("SELECT count(*) FROM wxs_sessions");
        Ok(held.fetch_one(&mut connection).await? <= expired.others)
    }
}

impl MariaDb {
    fn url(&self, name: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{name}", self.0.port)
    }

    async fn connect(&self) -> Result<MySqlConnection, Box<dyn Error>> {
        let url = self.url("mysql");
        self.0
            .until(async || MySqlConnection::connect(&url).await)
            .await
    }
}

/// What `MARIADBD` names, or the one in the usual place.
fn program() -> PathBuf {
    env::var_os("MARIADBD").map_or_else(|| USUAL.into(), PathBuf::from)
}
