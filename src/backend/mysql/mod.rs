use std::fmt;
use std::sync::Arc;

use crate::backend::batches::Batches;
use crate::backend::stored::Stored;
use crate::identity::Identity;
use crate::session::{Record, Touch};
use crate::store::{
    Feed, Insert, Inserted, Loaded, PutSessionKey, Revoke, Rotate, Rotated, SessionStore,
    StoreError,
};
use crate::time::Timestamp;
use crate::token::{SessionId, TagKey};

mod advice;
mod builder;
mod connection;
mod fault;
mod link;
mod loads;
mod location;
mod now;
mod pool;
mod row;
mod run;
mod schema;
mod server;
mod session_keys;
mod statements;
mod sweep;
mod tag_keys;
mod tls;
mod touch;
mod users;

pub use self::builder::MySqlStoreBuilder;
use self::fault::Failure;
use self::location::Location;
use self::now::Now;
use self::pool::Pool;
use self::server::Server;
use self::session_keys::KeysOf;
use self::users::List;
pub use crate::config_error::ConfigError as MySqlConfigError;

/// Keeps sessions in MySQL or MariaDB, for any number of processes.
///
/// Clones are handles to the same connections.
#[derive(Clone)]
pub struct MySqlStore {
    pool: Arc<Pool>,
    loads: Batches<SessionId, (Timestamp, Option<Loading>)>,
}

/// What a load has found.
type Loading = Result<Stored, StoreError>;

impl MySqlStore {
    fn at(location: Location, prefix: &str, connections: usize) -> Self {
        let server = Arc::new(Server::new(location, prefix));
        Self {
            pool: Arc::new(Pool::new(server, connections)),
            loads: Batches::default(),
        }
    }

    /// The statements that make the tables of a [prefix](MySqlStoreBuilder::prefix), for those who apply them
    /// themselves: doing them again changes nothing. Otherwise a store does them with its first connection.
    #[must_use]
    pub fn schema(prefix: &str) -> String {
        schema::tables(prefix).join(";\n\n") + ";\n"
    }

    fn failed(&self, failure: Failure) -> StoreError {
        failure.at(&self.pool.server.location.address)
    }
}

impl SessionStore for MySqlStore {
    async fn insert(&self, insert: Insert) -> Result<Inserted, StoreError> {
        let inserted = users::insert(&self.pool, &insert).await;
        inserted.map_err(|failure| self.failed(failure))
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        let pool = Arc::clone(&self.pool);
        let ask = move |ids| loads::load(Arc::clone(&pool), ids);
        let (now, found) = self.loads.ask(id, ask).await?;
        found.map_or(Ok(Loaded::NeverSeen), |found| {
            found.map(|stored| stored.loaded(now))
        })
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        touch::touch(&self.pool, &touch).await
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        let rotated = self.pool.transact(&rotate).await;
        rotated.map_err(|failure| self.failed(failure))
    }

    async fn revoke(&self, revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        let revoked = self.pool.transact(&revoke).await;
        revoked.map_err(|failure| self.failed(failure))
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let listed = self.pool.run(&List(&user)).await;
        listed.map_err(|failure| self.failed(failure))
    }

    async fn put_session_key(&self, put: PutSessionKey) -> Result<(), StoreError> {
        let done = self.pool.transact(&put).await;
        done.map_err(|failure| self.failed(failure))
    }

    async fn session_keys(&self, user: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        let keys = self.pool.run(&KeysOf(&user)).await;
        keys.map_err(|failure| self.failed(failure))
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        let keys = tag_keys::keep(&self.pool, &offer).await;
        keys.map_err(|failure| self.failed(failure))
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        let now = self.pool.run(&Now).await;
        now.map_err(|failure| self.failed(failure))
    }

    async fn writable(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        let _ = bucket;
        touch::try_writing(&self.pool).await
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        link::open(&self.pool).await
    }
}

impl fmt::Debug for MySqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlStore")
            .field("address", &self.pool.server.location.address)
            .field("prefix", &self.pool.server.prefix)
            .finish_non_exhaustive()
    }
}
