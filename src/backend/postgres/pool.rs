use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_postgres::{Client, Error, Row};

use super::connection::{Parameter, drive};
use super::fault::{is_missing_table, leaves_connection};
use super::pipeline::Pipeline;
use super::primary::Primary;
use crate::store::StoreError;
use crate::sync::Lock;

/// Connections to the primary, each for one transaction at a time.
///
/// There are never more of them than places: one that is given up in the middle of a transaction keeps
/// its place until the server has answered, or is found gone. So a server that hangs, or somebody's lock
/// on a table, does not fill the server with connections that wait.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    primary: Arc<Primary>,
    places: Arc<Semaphore>,
    /// One more for what must not wait behind all the others.
    reserved: Arc<Semaphore>,
    idle: Lock<Vec<Arc<Connection>>>,
}

/// One connection, and its place.
struct Connection {
    client: Client,
    place: Arc<Place>,
}

/// Empty unless the connection was given up. Its driver has a hold on it, and is the last one then.
type Place = Lock<Option<OwnedSemaphorePermit>>;

/// A connection that somebody has to himself.
pub(super) struct Lease {
    pool: Pool,
    connection: Arc<Connection>,
    permit: Option<OwnedSemaphorePermit>,
    is_between_transactions: bool,
}

impl Pool {
    pub(super) fn new(primary: Arc<Primary>, places: usize) -> Self {
        Self(Arc::new(Inner {
            primary,
            places: Arc::new(Semaphore::new(places)),
            reserved: Arc::new(Semaphore::new(1)),
            idle: Lock::default(),
        }))
    }

    /// A connection, as soon as there is one to spare.
    pub(super) async fn lease(&self) -> Result<Lease, StoreError> {
        self.lease_of(&self.0.places).await
    }

    /// The same, for a link's heartbeat.
    pub(super) async fn lease_reserved(&self) -> Result<Lease, StoreError> {
        self.lease_of(&self.0.reserved).await
    }

    async fn lease_of(&self, places: &Arc<Semaphore>) -> Result<Lease, StoreError> {
        let places = Arc::clone(places);
        let permit = places.acquire_owned().await;
        let permit = permit.map_err(StoreError::unavailable)?;
        if let Some(idle) = self.take_idle() {
            return Ok(self.lend(idle, permit));
        }
        // A task of its own: connecting may take longer than the caller has, and the next one finds the
        // connection. If nobody waits any longer it comes back here with the lease.
        let (sender, opened) = oneshot::channel();
        let pool = self.clone();
        tokio::spawn(async move {
            let _ = sender.send(pool.open(permit).await);
        });
        opened.await.map_err(StoreError::unavailable)?
    }

    async fn open(&self, permit: OwnedSemaphorePermit) -> Result<Lease, StoreError> {
        let primary = &self.0.primary;
        let (client, wire) = primary.connect(&primary.settings.servers).await?;
        let place = Arc::new(Place::default());
        let held = Arc::clone(&place);
        tokio::spawn(async move {
            drive(wire).await;
            drop(held);
        });
        primary.prepare(&client).await?;
        Ok(self.lend(Arc::new(Connection { client, place }), permit))
    }

    fn lend(&self, connection: Arc<Connection>, permit: OwnedSemaphorePermit) -> Lease {
        Lease {
            pool: self.clone(),
            connection,
            permit: Some(permit),
            is_between_transactions: true,
        }
    }

    /// The one that was used last. Those that were lost meanwhile are forgotten.
    fn take_idle(&self) -> Option<Arc<Connection>> {
        let mut idle = self.0.idle.lock();
        idle.retain(|idle| !idle.client.is_closed());
        idle.pop()
    }
}

impl Lease {
    /// The rows of one statement that only reads.
    pub(super) async fn read(
        &mut self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Error> {
        self.is_between_transactions = false;
        let rows = self
            .connection
            .client
            .query_typed(statement, parameters)
            .await;
        self.finish(rows)
    }

    /// A transaction, all of it in one round trip: the rows of each step.
    pub(super) async fn run(&mut self, all: Pipeline<'_>) -> Result<Vec<Vec<Row>>, Error> {
        self.is_between_transactions = false;
        let rows = all.run(&self.connection.client).await;
        self.finish(rows)
    }

    /// The first half of a transaction, which [`run`](Self::run) ends.
    pub(super) async fn begin(&mut self, half: Pipeline<'_>) -> Result<Vec<Vec<Row>>, Error> {
        self.is_between_transactions = false;
        half.run(&self.connection.client).await
    }

    /// Whoever is dropped before the answer leaves a connection that is closed then.
    fn finish<T>(&mut self, answer: Result<T, Error>) -> Result<T, Error> {
        match &answer {
            Ok(_) => self.is_between_transactions = true,
            Err(error) => {
                if is_missing_table(error) {
                    self.pool.0.primary.forget_schema();
                } else {
                    self.is_between_transactions = leaves_connection(error);
                }
            }
        }
        answer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.is_between_transactions {
            // Before the permit goes, so that whoever gets it finds the connection.
            let connection = Arc::clone(&self.connection);
            self.pool.0.idle.lock().push(connection);
        } else {
            // The client goes with this lease, and the driver once the server has answered.
            *self.connection.place.lock() = self.permit.take();
        }
    }
}
