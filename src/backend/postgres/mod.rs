use std::fmt;
use std::sync::Arc;

use crate::identity::Identity;
use crate::random;
use crate::session::{Record, Touch};
use crate::store::{
    Feed, Insert, Inserted, Loaded, PutSessionKey, Revoke, Rotate, Rotated, SessionStore,
    StoreError,
};
use crate::task::Task;
use crate::time::Timestamp;
use crate::token::{SessionId, TagKey};

mod advice;
mod announcement;
mod builder;
mod collector;
mod columns;
mod connection;
mod connections;
mod database;
mod direct;
mod ends;
mod fault;
mod firsts;
mod link;
mod locked;
mod locks;
mod names;
mod pipeline;
mod pool;
mod primary;
mod revocations;
mod rotations;
mod rows;
mod schema;
mod server;
mod session;
mod session_keys;
mod settings;
mod statements;
mod subscriber;
mod tag_keys;
mod touch;
mod uses;

pub use self::builder::PostgresStoreBuilder;
use self::connections::Connections;
use self::database::Database;
use self::locked::Concerned;
use self::rotations::Rotation;
use self::rows::Found;
use self::settings::Settings;
pub use crate::config_error::ConfigError as PostgresConfigError;

/// Keeps sessions in PostgreSQL (12 or later; tested with 15), for any number of processes.
///
/// The URL is what tokio-postgres takes: `postgres://user:password@host:port/database`, with several hosts
/// behind commas where there are standbys, and options behind a question mark. Whichever host is the
/// primary is used, in any order and after any failover; a standby alone is an error.
///
/// **Two projects on one database need a [prefix](PostgresStoreBuilder::prefix) each**, or each takes the
/// other's tokens: what they share is one set of sessions, as it has to be for the nodes of one.
///
/// 1. The tables are made at the first connection, under a lock, by whichever process comes first. Where
///    the user may not make tables, have one who may apply [`PostgresStoreBuilder::schema`]. The user then
///    needs `SELECT` on the table of the version, and `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the
///    other three. A newer release may add to them while nodes of this one run, unless it says that they cannot go on.
/// 2. Columns can be read by people; the comments of the [`schema`](PostgresStoreBuilder::schema) say what is in
///    them. No token is there, and session_keys are sealed.
/// 3. Reads, uses, logins without a cap and ends of single sessions go together with those that come at the
///    same time: one statement, one round trip, and one wait for the disk. Rotations do so, too, and read
///    first. All else is a transaction of two round trips, with a lock on its user and the rows.
/// 4. The server's clock is the fleet's. Statements are prepared once for each connection, which spares the server
///    most of what a load takes, **unless a pooler is in between**: it may give connections to others after each
///    transaction (PgBouncer with `pool_mode = transaction`), so nothing is prepared, set or locked beyond the end
///    of one. There is no setting for it: a connection leads to the server itself if `pg_backend_pid()` is
///    the process that the connection was told of when it began.
/// 5. A link has a connection of its own, on which the server announces what other nodes change
///    (`LISTEN` and `NOTIFY`), and a heartbeat every 500 ms that comes the same way. **It needs a URL that leads past a
///    pooler that pools transactions**: [`link_url`](PostgresStoreBuilder::link_url). It says so if it is deaf.
/// 6. Rows that nobody can read any more are deleted a few hundred at a time, by one process at a time, without
///    a lock on anything else. They stay for 6 to 7 hours after the idle deadline, so that late uses
///    count. Leave autovacuum on.
/// 7. Nothing connects before the first operation. While the server is down operations fail; they
///    work again by themselves. There are never more connections than the [setting](PostgresStoreBuilder::connections)
///    says, also while somebody has the tables locked. A server that hangs is given up after six seconds: another one
///    may be the primary by then.
///
/// # What a server may lose
///
/// Nothing that was acknowledged, if it dies and comes back, unless `fsync`, `full_page_writes` or
/// `synchronous_commit` is off: there is a warning. A failover to a standby may lose the last writes,
/// revocations among them, unless the primary waits for it (`synchronous_standby_names`). A node repeats what it has
/// revoked in the last ten minutes when its link is back.
///
/// A primary that waits for a standby which is gone acknowledges nothing, and announces nothing: reads go
/// on, links end, so that nodes confirm sessions after 3 s instead of 30 s, and ends of sessions are pending.
///
/// # Encryption
///
/// | `sslmode` in the URL | connections are |
/// |---|---|
/// | `require` (or `verify-full`) | encrypted, and the server's certificate is verified with its name |
/// | none, or `prefer` | the same where the server offers encryption, in the clear where it does not |
/// | `disable` | in the clear |
///
/// **Write `sslmode=require` on any network that is not your own**: with `prefer` whoever sits in between
/// can switch encryption off, and ask for the password. What other clients call `require`, without
/// a look at the certificate, there is not. A server with a certificate of its own making, as Debian's has,
/// needs [`tls_authorities`](PostgresStoreBuilder::tls_authorities), which makes encryption a requirement.
///
/// ```
/// use tower_wx_session::{Sessions, store::PostgresStore};
///
/// let store = PostgresStore::builder("postgres://shop:password@localhost/shop").build()?;
/// let sessions = Sessions::builder(store).build()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// Clones are handles to the same connections.
#[derive(Clone)]
pub struct PostgresStore {
    database: Arc<Database>,
    collector: Arc<Task>,
}

impl PostgresStore {
    fn on(settings: Settings, connections: usize) -> Self {
        let connections = Connections::new(settings, connections);
        Self {
            database: Arc::new(Database::new(connections)),
            collector: Arc::default(),
        }
    }

    /// Deletes what is due from now on, until the last handle goes.
    fn collect(&self) {
        let database = &self.database;
        self.collector.start(|| {
            let connections = Arc::downgrade(&database.connections);
            collector::collect(connections, database.statements.clone())
        });
    }
}

impl SessionStore for PostgresStore {
    async fn insert(&self, insert: Insert) -> Result<Inserted, StoreError> {
        self.collect();
        let id = insert.id;
        if insert.cap.is_none() && insert.retire.is_none() {
            let is_kept = self.database.insert(id, insert.record).await?;
            let kept = Inserted::Kept(Vec::new());
            return Ok(if is_kept { kept } else { Inserted::Taken });
        }
        let user = insert.record.identity.clone();
        let concerned = Concerned {
            bucket: id.bucket(),
            ids: &[id],
            user: Some(&user),
        };
        self.database
            .decide(concerned, |ledger| ledger.insert(insert.clone()))
            .await
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        let Found { now, version } = self.database.load(id).await?;
        Ok(match version {
            Some(version) => version.stored?.loaded(now),
            None => Loaded::NeverSeen,
        })
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        touch::touch(&self.database, &touch).await
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        let found = self.database.load(rotate.old).await?;
        if let Some((rotation, rotated)) = Rotation::decided(found, &rotate)
            && self.database.rotate(rotation).await?
        {
            return Ok(rotated);
        }
        let concerned = Concerned {
            bucket: rotate.old.bucket(),
            ids: &[rotate.old, rotate.new],
            user: None,
        };
        self.database
            .decide(concerned, |ledger| ledger.rotate(rotate.clone()))
            .await
    }

    async fn revoke(&self, revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        revocations::revoke(&self.database, &revoke).await
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        Ok(self.database.sessions_of(&user).await?.list())
    }

    async fn put_session_key(&self, put: PutSessionKey) -> Result<(), StoreError> {
        self.collect();
        let Database {
            connections,
            statements,
            user_locks,
            ..
        } = &*self.database;
        let _lock = user_locks.lock(put.user.bucket()).await;
        session_keys::put(connections, statements, put).await
    }

    async fn session_keys(&self, user: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        let Database {
            connections,
            statements,
            ..
        } = &*self.database;
        session_keys::read(connections, statements, &user).await
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        let Database {
            connections,
            statements,
            ..
        } = &*self.database;
        tag_keys::keep(connections, statements, &offer).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        let now = &self.database.statements.now;
        let (now, _) = self.database.connections.read(now, &[]).await?;
        Ok(now)
    }

    async fn writable(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        let mut id = [0; 18];
        random::fill(&mut id).map_err(StoreError::unavailable)?;
        id[..2].copy_from_slice(&bucket);
        self.database.try_writing(SessionId::from_bytes(id)).await
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        self.collect();
        link::open(&self.database.connections).await
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("names", &self.database.connections.primary.settings.names)
            .finish_non_exhaustive()
    }
}
