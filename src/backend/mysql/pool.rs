//! The connections of a store.
//!
//! The pool of the client is not used. It has a connection that was dropped within a transaction, or with rows
//! left to read, cleaned up by a task of its own without a deadline, and counts it until then: each operation
//! that is given up on a server that hangs costs a place, and the operations after it wait for places that
//! do not come. Here such a connection is closed, and its place is free at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use super::connection;
use super::fault::Failure;
use super::server::Server;
use crate::backend::user_locks::UserLocks;
use crate::store::StoreError;
use crate::sync::Lock;

/// The longest that it takes to connect: after that another address may have the server.
const CONNECTED_WITHIN: Duration = Duration::from_secs(2);
/// How long a connection may have been idle to be used again; the server ends it later than that.
const IDLE_FOR: Duration = Duration::from_secs(45);

/// Connections that wait for work, and places for those that do it.
pub(super) struct Pool {
    pub(super) server: Arc<Server>,
    places: Arc<Semaphore>,
    idle: Lock<Vec<Idle>>,
    pub(super) user_locks: UserLocks,
}

struct Idle {
    connection: Conn,
    since: Instant,
}

/// A connection in use. If it is not given back it is closed.
pub(super) struct Lease {
    pub(super) connection: Conn,
    pub(super) is_new: bool,
    pool: Arc<Pool>,
    place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(server: Arc<Server>, size: usize) -> Self {
        Self {
            server,
            places: Arc::new(Semaphore::new(size)),
            idle: Lock::default(),
            user_locks: UserLocks::default(),
        }
    }

    /// A connection, as soon as there is one.
    pub(super) async fn lease(self: &Arc<Self>) -> Result<Lease, StoreError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(StoreError::unavailable)?;
        match self.take_idle() {
            Some(connection) => Ok(Lease {
                connection,
                is_new: false,
                pool: Arc::clone(self),
                place,
            }),
            None => self.connect(place).await,
        }
    }

    /// In a task of its own: a connection that takes longer than its operation may wait serves the next.
    async fn connect(self: &Arc<Self>, place: OwnedSemaphorePermit) -> Result<Lease, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let connected = pool.server.connect().await;
            let leased = connected.map(|connection| Lease {
                connection,
                is_new: true,
                pool,
                place,
            });
            if let Err(Ok(unwanted)) = sender.send(leased) {
                unwanted.give_back();
            }
        });
        receiver.await.map_err(StoreError::unavailable)?
    }

    fn take_idle(&self) -> Option<Conn> {
        let mut idle = self.idle.lock();
        // The one that was used last is on top; if it is too old, all are.
        match idle.pop() {
            Some(top) if top.since.elapsed() < IDLE_FOR => Some(top.connection),
            Some(_) => {
                idle.clear();
                None
            }
            None => None,
        }
    }

    /// Closes what is idle: if one connection has ended, the others probably have too.
    pub(super) fn close_idle(&self) {
        let closed = std::mem::take(&mut *self.idle.lock());
        drop(closed);
    }
}

impl Lease {
    /// Takes the connection out of the pool, and frees its place.
    pub(super) fn into_connection(self) -> Conn {
        self.connection
    }

    /// Keeps the connection for the next operation. Nothing may be under way on it.
    pub(super) fn give_back(self) {
        let idle = Idle {
            connection: self.connection,
            since: Instant::now(),
        };
        // Before the place is free: whoever gets it finds the connection.
        self.pool.idle.lock().push(idle);
        drop(self.place);
    }
}

impl Server {
    /// A connection to a server that has the tables.
    pub(super) async fn connect(&self) -> Result<Conn, StoreError> {
        let opening = async {
            let mut connection = connection::open(self.location.options.clone()).await?;
            self.prepare(&mut connection).await?;
            Ok::<_, Failure>(connection)
        };
        match timeout(CONNECTED_WITHIN, opening).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(failure)) => Err(failure.at(&self.location.address)),
            Err(_) => Err(self.location.no_answer()),
        }
    }
}
