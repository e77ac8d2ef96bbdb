use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, RedisError, Value};
use tokio::time::sleep;

use super::advice::Stage;
use super::connection::Connection;
use super::destination::{Destination, is_elsewhere};
use super::fault::{Remedy, failed, query_failed, remedy, unwritten};
use super::finder::Finder;
use super::settings::Settings;
use super::unannounced::Unannounced;
use crate::backend::redis::scripts::Call;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::keys::slot;
use crate::backend::redis::wire::reply::time_of;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Times that a command is sent: anew after another server was named.
const SENT_AT_MOST: usize = 4;
/// Pause before a command on a slot that moves is sent again.
pub(crate) const MOVING_PAUSE: Duration = Duration::from_millis(15);

/// Brings each command to the server that can answer it.
#[derive(Clone)]
pub(crate) struct Router {
    finder: Arc<Finder>,
    unannounced: Arc<Unannounced>,
}

/// What is sent.
#[derive(Clone, Copy)]
enum Order<'a> {
    Command(&'a Cmd),
    Script(&'a Call),
}

impl Router {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            finder: Arc::new(Finder::new(settings)),
            unannounced: Arc::default(),
        }
    }

    pub(crate) const fn finder(&self) -> &Arc<Finder> {
        &self.finder
    }

    /// Runs a script where its first key is. While the slot moves and its keys are in two places,
    /// it is sent again for as long as the caller waits.
    pub(crate) async fn run(&self, call: &Call) -> Result<Value, StoreError> {
        loop {
            match self.run_unless_moving(call).await? {
                Some(answer) => return Ok(answer),
                None => sleep(MOVING_PAUSE).await,
            }
        }
    }

    /// The same, but it does not wait: `None` if the keys are in two places.
    pub(crate) async fn run_unless_moving(&self, call: &Call) -> Result<Option<Value>, StoreError> {
        match self.send(call.key(), Order::Script(call)).await? {
            Err(error) if is_elsewhere(&error) => Ok(None),
            answer => answer.map(Some).map_err(|error| self.failed(error)),
        }
    }

    /// Runs a script over this connection, whose server has all of its keys. `Err` within is that the server
    /// has refused it: nothing was done.
    pub(crate) async fn run_over(
        &self,
        over: &Connection,
        call: &Call,
    ) -> Result<Result<Value, RedisError>, StoreError> {
        match self.send_to(over, Order::Script(call)).await {
            Err(error) if error.code().is_none() => Err(self.failed(error)),
            answer => Ok(answer),
        }
    }

    /// Tries a write. That a server answers and refuses it is another error than that none answers.
    pub(crate) async fn try_writing(&self, key: &str, write: &Cmd) -> Result<(), StoreError> {
        match self.send(key, Order::Command(write)).await? {
            Err(error) if error.code().is_some() => Err(unwritten(error, &self.finder.settings)),
            answer => answer.map(drop).map_err(|error| self.failed(error)),
        }
    }

    /// Sends a command about what is under the key that does no harm when it happens twice.
    ///
    /// That the server has closed a connection is found out by the first command where nobody drove
    /// the runtime since, as in a process that was frozen. It is sent once more, over another one.
    pub(crate) async fn query(&self, key: &str, command: &Cmd) -> Result<Value, StoreError> {
        let mut may_resend = true;
        loop {
            match self.send(key, Order::Command(command)).await? {
                Err(error) if is_elsewhere(&error) => sleep(MOVING_PAUSE).await,
                Err(error) if may_resend && error.is_connection_dropped() => may_resend = false,
                answer => {
                    return answer.map_err(|error| query_failed(error, &self.finder.settings));
                }
            }
        }
    }

    async fn send(
        &self,
        key: &str,
        order: Order<'_>,
    ) -> Result<Result<Value, RedisError>, StoreError> {
        let slot = slot(key);
        // What is rare is boxed, so that no future is large for its sake.
        let connection = match self.finder.known_connection(slot) {
            Some(known) => known,
            None => Box::pin(self.finder.find_connection(slot)).await?,
        };
        match self.send_to(&connection, order).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) => Box::pin(self.resend(slot, connection, order, error)).await,
        }
    }

    async fn send_to(
        &self,
        connection: &Connection,
        order: Order<'_>,
    ) -> Result<Value, RedisError> {
        let destination = Destination {
            connection,
            is_importing: false,
        };
        match order {
            Order::Command(command) => connection.query(command).await,
            // More than a command: boxed, so that a load's future is not as large.
            Order::Script(call) => Box::pin(destination.run(call, &self.unannounced)).await,
        }
    }

    /// Sends a command again only if it was refused, so that it happens once at most.
    async fn resend(
        &self,
        slot: u16,
        mut connection: Arc<Connection>,
        order: Order<'_>,
        error: RedisError,
    ) -> Result<Result<Value, RedisError>, StoreError> {
        let mut answer = Err(error);
        for _ in 1..SENT_AT_MOST {
            answer = match answer {
                Ok(answer) => return Ok(Ok(answer)),
                Err(error) => match remedy(&error) {
                    // Only a Cluster is followed around.
                    Remedy::Moved(_) if !self.finder.settings.location.is_cluster() => {
                        return Err(self.failed(error));
                    }
                    Remedy::Moved(address) => {
                        let address =
                            address.map(|address| address.seen_from(connection.address()));
                        connection = self.moved_to(address, slot).await?;
                        self.send_to(&connection, order).await
                    }
                    Remedy::Ask(address) => {
                        let address = address.seen_from(connection.address());
                        self.send_to_importer(&address, order, error).await
                    }
                    _ => return Ok(Err(error)),
                },
            };
        }
        Ok(answer)
    }

    /// The connection to the new owner of a slot. Who owns what is found out anew for everybody; that
    /// takes a while, and whom it asks may know less than who has named the owner.
    async fn moved_to(
        &self,
        address: Option<Address>,
        slot: u16,
    ) -> Result<Arc<Connection>, StoreError> {
        let _ = self.finder.start_search();
        if let Some(address) = address
            && let Some(connection) = self.finder.named(&address).await
        {
            return Ok(connection);
        }
        self.finder.search_anew().await?.connection(slot).await
    }

    /// Sends a command to the server that takes over a slot, for a key that it has already.
    async fn send_to_importer(
        &self,
        address: &Address,
        order: Order<'_>,
        otherwise: RedisError,
    ) -> Result<Value, RedisError> {
        let Some(connection) = self.finder.named(address).await else {
            return Err(otherwise);
        };
        let destination = Destination {
            connection: &connection,
            is_importing: true,
        };
        match order {
            Order::Command(command) => destination.query(command).await,
            Order::Script(call) => destination.run(call, &self.unannounced).await,
        }
    }

    /// The time of any server; a second try as in [`query`](Self::query).
    pub(crate) async fn time(&self) -> Result<Timestamp, StoreError> {
        let answer = match self.ask_time().await? {
            Err(error) if error.is_connection_dropped() => self.ask_time().await?,
            answer => answer,
        };
        let now = time_of(&answer.map_err(|error| self.failed(error))?)?;
        self.finder.clock.follow(now);
        Ok(now)
    }

    fn failed(&self, error: RedisError) -> StoreError {
        failed(error, Stage::Anywhere, &self.finder.settings)
    }

    async fn ask_time(&self) -> Result<Result<Value, RedisError>, StoreError> {
        let connection = match self.finder.routes().and_then(|routes| routes.any()) {
            Some(connection) => connection,
            None => self.finder.search().await?.any_open().await?,
        };
        Ok(connection.query(&redis::cmd("TIME")).await)
    }
}
