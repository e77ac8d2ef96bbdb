use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tower_sessions_sqlx_store::SqliteStore as Peer;
use tower_wx_session::store::MemoryStore;

use super::database::Database;

/// A folder with a file for each; the peer's is SQLite's, with a write-ahead log.
pub(crate) struct File(PathBuf);

impl Database for File {
    type Ours = MemoryStore;
    type Peer = Peer;

    const NAME: &'static str = "a file";
    const POOLS: &'static [u32] = &[10];

    fn start() -> Result<Self, Box<dyn Error>> {
        let folder = env::temp_dir().join(format!("peers-file-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    async fn version(&self) -> Result<String, Box<dyn Error>> {
        Ok(Self::NAME.to_owned())
    }

    async fn make(&self, name: &str) -> Result<String, Box<dyn Error>> {
        Ok(self.0.join(name).to_string_lossy().into_owned())
    }

    async fn ours(_address: &str) -> Result<Self::Ours, Box<dyn Error>> {
        Ok(MemoryStore::new())
    }

    async fn peer(address: &str, connections: u32) -> Result<Self::Peer, Box<dyn Error>> {
        let file = SqliteConnectOptions::new()
            .filename(address)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePoolOptions::new().max_connections(connections);
        let peer = Peer::new(pool.connect_with(file).await?);
        peer.migrate().await?;
        Ok(peer)
    }

    /// With the log beside it.
    async fn bytes(&self, address: &str) -> Result<u64, Box<dyn Error>> {
        let log = format!("{address}-wal");
        Ok(length(address.as_ref())? + length(log.as_ref()).unwrap_or_default())
    }

    async fn held(&self, _ours: &Self::Ours, _: &str) -> Result<u64, Box<dyn Error>> {
        Ok(0)
    }
}

fn length(file: &Path) -> io::Result<u64> {
    Ok(fs::metadata(file)?.len())
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
