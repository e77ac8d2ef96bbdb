use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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
mod ends;
mod fault;
mod link;
mod loads;
mod location;
mod now;
mod pool;
mod row;
mod run;
mod schema;
mod script;
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
use self::loads::Loading;
use self::location::Location;
use self::now::Now;
use self::pool::Pool;
use self::server::Server;
use self::session_keys::KeysOf;
use self::users::List;
pub use crate::config_error::ConfigError as MySqlConfigError;

/// Ends of single sessions under way at the same time, alone or together,
const ENDS_AT_ONCE: usize = 2;
/// and how long one of them has those wait who come meanwhile: somebody may have its session locked.
const HOLDS_UP: Duration = Duration::from_millis(10);

/// Keeps sessions in MySQL or MariaDB, for any number of processes.
///
/// The URL is `mysql://[user[:password]@]host[:port]/database`, or `mariadb://…`, with user and password
/// percent-encoded. With
/// `?ssl-mode=VERIFY_IDENTITY` behind it all connections are encrypted, and the server's certificate is
/// checked, name included; so it is with `VERIFY_CA` and `REQUIRED`.
///
/// **Two projects on one database need a [prefix](MySqlStoreBuilder::prefix) each**, or each takes the
/// other's tokens: what they share is one set of sessions, as it has to be for the nodes of one.
///
/// 1. A load is one `SELECT`, for all sessions that are asked for at the same time; a use, and the end of a session
///    without a successor, is one `UPDATE` whose conditions stand on the row; a login that has nothing to do with
///    other sessions is one `INSERT`. Where many sessions end at the same time they share a transaction. Everything else
///    takes a lock on the user, the row in `wxs_users`, reads, decides, and writes what has changed, in one
///    transaction.
/// 2. Names and data are bytes, and no collation compares them: `oAbc`, `oabc` and `oabc` with a space behind it
///    are three users. Times are milliseconds on the server's clock, whatever its time zone.
/// 3. Each connection sets what the store relies on: READ COMMITTED, a strict `sql_mode`, and how long a
///    statement may wait for a lock (1 s) and the server for the next statement (60 s).
///    Statements of one transaction go to the server together, as text with values in hexadecimal digits
///    (`CLIENT_MULTI_STATEMENTS`): a proxy in between has to follow a transaction that begins in the middle of
///    such a text.
/// 4. The tables are made with the first connection, by one process at a time. Who does not want
///    that applies what [`schema`](MySqlStoreBuilder::schema) says.
/// 5. Nothing connects before the first operation. While the server is down operations fail; they work again
///    by themselves. A deadlock is tried again; an operation whose `COMMIT` was not answered is not, unless doing it twice
///    comes to the same.
/// 6. A link looks for changes every 200 ms on a connection of its own: a node hears of what another one
///    has ended within a second, not at once as with Redis. Without a link nodes confirm sessions after
///    3 s. A link ends where the server takes no writes any more, because changes come late to a replica.
/// 7. Beside its link one node of all deletes what is over, every 30 s, in steps of 128 rows that block
///    nobody else.
///
/// `innodb_flush_log_at_trx_commit` and `sync_binlog` other than 1 may lose what was acknowledged, ends of
/// sessions among it; there is a warning. A failover to a replica that is behind loses as much.
///
/// It was run on MariaDB 10.11 and on nothing else so far. It uses what the documentation of MySQL 8.0 and of MariaDB
/// 10.5 have in common, so that both should do, and whatever speaks their protocol and has the same: TiDB,
/// PolarDB, TDSQL, OceanBase. The suite of `test_util::conformance` tells. The binary log has to be `ROW` or
/// `MIXED`.
///
/// # Rights
///
/// An account needs these rights on the database, and no others:
///
/// | for | rights |
/// |---|---|
/// | every store | `SELECT, INSERT, UPDATE, DELETE` |
/// | a store that makes its tables | `CREATE` |
///
/// ```
/// use tower_wx_session::{Sessions, store::MySqlStore};
///
/// let store = MySqlStore::builder("mysql://node:secret@localhost/shop").build()?;
/// let sessions = Sessions::builder(store).build()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// Clones are handles to the same connections.
#[derive(Clone)]
pub struct MySqlStore {
    pool: Arc<Pool>,
    loads: Batches<SessionId, (Timestamp, Option<Loading>)>,
    ends: Batches<Revoke, bool>,
}

impl MySqlStore {
    fn at(location: Location, prefix: &str, connections: usize) -> Self {
        let server = Arc::new(Server::new(location, prefix));
        Self {
            pool: Arc::new(Pool::new(server, connections)),
            loads: Batches::default(),
            ends: Batches::beyond(ENDS_AT_ONCE, HOLDS_UP),
        }
    }

    /// What there is of a session, and the time, read together with whoever reads others.
    async fn find(&self, id: SessionId) -> Result<(Timestamp, Option<Loading>), StoreError> {
        let pool = Arc::clone(&self.pool);
        let ask = move |ids| loads::load(Arc::clone(&pool), ids);
        self.loads.ask(id, ask).await
    }

    /// Ends one session; `None` if that takes a look at the user's others, or it is not there.
    async fn revoke_single(
        &self,
        id: SessionId,
        revoke: &Revoke,
    ) -> Result<Option<Vec<SessionId>>, StoreError> {
        let pool = Arc::clone(&self.pool);
        let end = move |revocations| ends::end(Arc::clone(&pool), revocations);
        if self.ends.ask(revoke.clone(), end).await? {
            return Ok(Some(vec![id]));
        }
        Ok(match self.find(id).await? {
            (_, Some(Ok(Stored::Revoked { .. }))) => Some(Vec::new()),
            _ => None,
        })
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
        let (now, found) = self.find(id).await?;
        found.map_or(Ok(Loaded::NeverSeen), |found| {
            found.map(|stored| stored.loaded(now))
        })
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        touch::touch(&self.pool, &touch).await
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        let bucket = rotate.old.bucket();
        let rotated = self.pool.transact_in_turn(bucket, &rotate).await;
        rotated.map_err(|failure| self.failed(failure))
    }

    async fn revoke(&self, revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        if let Some(id) = revoke.target.session()
            && let Some(revoked) = self.revoke_single(id, &revoke).await?
        {
            return Ok(revoked);
        }
        let bucket = revoke.target.bucket();
        let revoked = self.pool.transact_in_turn(bucket, &revoke).await;
        revoked.map_err(|failure| self.failed(failure))
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let listed = self.pool.run(&List(&user)).await;
        listed.map_err(|failure| self.failed(failure))
    }

    async fn put_session_key(&self, put: PutSessionKey) -> Result<(), StoreError> {
        let bucket = put.user.bucket();
        let done = self.pool.transact_in_turn(bucket, &put).await;
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
