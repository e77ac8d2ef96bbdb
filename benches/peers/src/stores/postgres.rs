use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{Connection, query, query_scalar};
use tower_sessions_sqlx_store::PostgresStore as Peer;
use tower_wx_session::store::{AnyStore, PostgresStore};

use super::database::{Database, Expired};
use super::server::Server;

/// Where Debian has a folder for each version's programs.
const USUAL: &str = "/usr/lib/postgresql";

/// All tables and their indexes.
const BYTES: &str = "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
    WHERE relkind = 'r' AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)";

/// A real PostgreSQL with the settings that it comes with: what is committed is on the disk.
pub(crate) struct Postgres(Server);

impl Database for Postgres {
    type Peer = Peer;

    const NAME: &'static str = "PostgreSQL";
    const POOLS: &'static [u32] = &[10, 8];
    /// To the second of an hour that its name says.
    const KEPT_LONGER: Duration = Duration::from_secs(60 * 60);

    fn start() -> Result<Self, Box<dyn Error>> {
        let mut server = Server::new("postgres", "-QUIT")?;
        let (data, port) = (server.data(), server.port.to_string());
        let data = data.to_string_lossy();
        let made = [
            "-D",
            &data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
        ];
        server.prepare(&program("initdb"), made)?;
        let started = [
            "-D",
            &data,
            "-p",
            &port,
            "-k",
            &data,
            "-h",
            "127.0.0.1",
            "-c",
            "max_connections=200",
        ];
        server.start(&program("postgres"), started)?;
        Ok(Self(server))
    }

    async fn version(&self) -> Result<String, Box<dyn Error>> {
        let mut connection = self.connect("postgres").await?;
        let version = query_scalar::<_, String>("SHOW server_version");
        let version = version.fetch_one(&mut connection).await?;
        let number = version.split(' ').next().unwrap_or_default();
        Ok(format!("{} {number}", Self::NAME))
    }

    async fn make(&self, name: &str) -> Result<String, Box<dyn Error>> {
        let mut connection = self.connect("postgres").await?;
        let create = format!("CREATE DATABASE {name}");
        query(&create).execute(&mut connection).await?;
        Ok(self.url(name))
    }

    async fn ours(address: &str) -> Result<AnyStore, Box<dyn Error>> {
        Ok(AnyStore::new(PostgresStore::builder(address).build()?))
    }

    async fn peer(address: &str, connections: u32) -> Result<Self::Peer, Box<dyn Error>> {
        let pool = PgPoolOptions::new().max_connections(connections);
        let peer = Peer::new(pool.connect(address).await?);
        peer.migrate().await?;
        Ok(peer)
    }

    async fn bytes(&self, address: &str) -> Result<u64, Box<dyn Error>> {
        let mut connection = PgConnection::connect(address).await?;
        let bytes = query_scalar::<_, i64>(BYTES);
        Ok(bytes.fetch_one(&mut connection).await?.try_into()?)
    }

    async fn has_collected(
        &self,
        address: &str,
        expired: &Expired,
    ) -> Result<bool, Box<dyn Error>> {
        let mut connection = PgConnection::connect(address).await?;
        let held = query_scalar::<_, i64>("SELECT count(*) FROM wxs_sessions");
        Ok(held.fetch_one(&mut connection).await? <= expired.others)
    }
}

impl Postgres {
    fn url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.0.port)
    }

    async fn connect(&self, name: &str) -> Result<PgConnection, Box<dyn Error>> {
        let url = self.url(name);
        self.0
            .until(async || PgConnection::connect(&url).await)
            .await
    }
}

/// One of those in the folder that `POSTGRES_BIN` names, or of the newest that Debian has installed.
fn program(name: &str) -> PathBuf {
    let named = env::var_os("POSTGRES_BIN").map(PathBuf::from);
    named.or_else(newest).unwrap_or_default().join(name)
}

fn newest() -> Option<PathBuf> {
    let versions = fs::read_dir(USUAL).ok()?.filter_map(Result::ok);
    let number = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|version| version.path()).max_by_key(number)?;
    Some(newest.join("bin"))
}
