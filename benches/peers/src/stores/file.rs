use std::error::Error;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, io};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tower_sessions_sqlx_store::SqliteStore as Peer;
use tower_wx_session::store::{AnyStore, FileStore, Insert, Inserted, Record, SessionStore};

use super::database::{Database, Expired};
use crate::user::identity;

/// Bytes of a block, as `stat` counts them.
const BLOCK: u64 = 512;

/// A folder with a file for each; the peer's is SQLite's, with a write-ahead log.
pub(crate) struct File(PathBuf);

impl Database for File {
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

    async fn ours(address: &str) -> Result<AnyStore, Box<dyn Error>> {
        Ok(AnyStore::new(FileStore::open(address)?))
    }

    async fn peer(address: &str, connections: u32) -> Result<Self::Peer, Box<dyn Error>> {
        let file = SqliteConnectOptions::new()
            .filename(address)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // As ours: on the disk before the answer. It is the default, too.
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(connections);
        let peer = Peer::new(pool.connect_with(file).await?);
        peer.migrate().await?;
        Ok(peer)
    }

    /// With the log beside it.
    async fn bytes(&self, address: &str) -> Result<u64, Box<dyn Error>> {
        let log = format!("{address}-wal");
        Ok(on_disk(address.as_ref())? + on_disk(log.as_ref()).unwrap_or_default())
    }

    /// They go in the order of their ends and ids.
    async fn has_collected(&self, _: &str, expired: &Expired) -> Result<bool, Box<dyn Error>> {
        let ours = &expired.ours;
        let over = Record::issued(
            identity(0),
            ours.now().await?,
            Duration::ZERO,
            Duration::ZERO,
            None,
        );
        let inserted = ours.insert(Insert::new(expired.last, over)).await?;
        Ok(inserted != Inserted::Taken)
    }
}

/// A file may be longer than that.
fn on_disk(file: &Path) -> io::Result<u64> {
    Ok(fs::metadata(file)?.blocks() * BLOCK)
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
