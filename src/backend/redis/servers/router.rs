use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, RedisError, Value};
use tokio::time::sleep;

use super::connection::Connection;
use super::fault::{Remedy, query_failed, remedy};
use super::finder::Finder;
use super::settings::Settings;
use crate::backend::redis::scripts::Call;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::keys::slot;
use crate::backend::redis::wire::reply::time_of;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Times that a command is sent: anew after another server was named, or the script was missing.
const SENT_AT_MOST: usize = 4;
/// Pause before a command on a slot that moves is sent again.
pub(crate) const MOVES_FOR: Duration = Duration::from_millis(15);

/// Brings each command to the server that can answer it.
#[derive(Clone)]
pub(crate) struct Router(Arc<Finder>);

impl Router {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(Arc::new(Finder::new(settings)))
    }

    pub(crate) const fn finder(&self) -> &Arc<Finder> {
        &self.0
    }

    /// Runs a script where its first key is. While the slot moves and its keys are in two places,
    /// it is sent again for as long as the caller waits.
    pub(crate) async fn run(&self, call: &Call) -> Result<Value, StoreError> {
        loop {
            match self.run_unless_moving(call).await? {
                Some(answer) => return Ok(answer),
                None => sleep(MOVES_FOR).await,
            }
        }
    }

    /// The same, but it does not wait: `None` if the keys are in two places.
    pub(crate) async fn run_unless_moving(&self, call: &Call) -> Result<Option<Value>, StoreError> {
        match self.send(call.key(), &call.by_hash(), Some(call)).await? {
            Err(error) if is_moving(&error) => Ok(None),
            answer => answer.map(Some).map_err(StoreError::unavailable),
        }
    }

    /// Tries a write. That a server answers and refuses it is another error than that none answers.
    pub(crate) async fn try_writing(&self, key: &str, write: &Cmd) -> Result<(), StoreError> {
        match self.send(key, write, None).await? {
            Err(error) if error.code().is_some() => Err(StoreError::unwritten().caused_by(error)),
            answer => answer.map(drop).map_err(StoreError::unavailable),
        }
    }

    /// Sends a command about what is under the key that does no harm when it happens twice.
    ///
    /// That the server has closed a connection is found out by the first command where nobody drove
    /// the runtime since, as in a process that was frozen. It is sent once more, over another one.
    pub(crate) async fn query(&self, key: &str, command: &Cmd) -> Result<Value, StoreError> {
        let mut may_resend = true;
        loop {
            match self.send(key, command, None).await? {
                Err(error) if is_moving(&error) => sleep(MOVES_FOR).await,
                Err(error) if may_resend && error.is_connection_dropped() => may_resend = false,
                answer => return answer.map_err(query_failed),
            }
        }
    }

    async fn send(
        &self,
        key: &str,
        command: &Cmd,
        script: Option<&Call>,
    ) -> Result<Result<Value, RedisError>, StoreError> {
        let slot = slot(key);
        // What is rare is boxed, so that no future is large for its sake.
        let connection = match self.0.known_connection(slot) {
            Some(known) => known,
            None => Box::pin(self.0.find_connection(slot)).await?,
        };
        match connection.query(command).await {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) => Box::pin(self.resend(slot, connection, command, script, error)).await,
        }
    }

    /// Sends a command again only if it was refused, so that it happens once at most.
    async fn resend(
        &self,
        slot: u16,
        mut connection: Arc<Connection>,
        command: &Cmd,
        script: Option<&Call>,
        error: RedisError,
    ) -> Result<Result<Value, RedisError>, StoreError> {
        let mut answer = Err(error);
        for _ in 1..SENT_AT_MOST {
            answer = match (answer, script) {
                (Ok(answer), _) => return Ok(Ok(answer)),
                (Err(error), script) => match (remedy(&error), script) {
                    (Remedy::SendScript, Some(script)) => connection.query(&script.by_code()).await,
                    (Remedy::Moved(address), _) => {
                        let address =
                            address.map(|address| address.seen_from(connection.address()));
                        connection = self.moved_to(address, slot).await?;
                        connection.query(command).await
                    }
                    (Remedy::Ask(address), script) => {
                        let address = address.seen_from(connection.address());
                        let script = script.map(Call::by_code);
                        let command = script.as_ref().unwrap_or(command);
                        self.query_importer(&address, command, error).await
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
        let _ = self.0.start_search();
        if let Some(address) = address
            && let Some(connection) = self.0.named(&address).await
        {
            return Ok(connection);
        }
        self.0.search_anew().await?.connection(slot).await
    }

    /// Sends a command to the server that takes over a slot, for a key that it has already.
    async fn query_importer(
        &self,
        address: &Address,
        command: &Cmd,
        otherwise: RedisError,
    ) -> Result<Value, RedisError> {
        let Some(connection) = self.0.named(address).await else {
            return Err(otherwise);
        };
        let mut asking = redis::pipe();
        asking.cmd("ASKING").ignore().add_command(command.clone());
        let answers = connection.query_all(&asking).await?;
        answers.into_iter().next().ok_or(otherwise)
    }

    /// The time of any server; a second try as in [`query`](Self::query).
    pub(crate) async fn time(&self) -> Result<Timestamp, StoreError> {
        let answer = match self.ask_time().await? {
            Err(error) if error.is_connection_dropped() => self.ask_time().await?,
            answer => answer,
        };
        let now = time_of(&answer.map_err(StoreError::unavailable)?)?;
        self.0.clock.follow(now);
        Ok(now)
    }

    async fn ask_time(&self) -> Result<Result<Value, RedisError>, StoreError> {
        let connection = match self.0.routes().and_then(|routes| routes.any()) {
            Some(connection) => connection,
            None => self.0.search().await?.any_open().await?,
        };
        Ok(connection.query(&redis::cmd("TIME")).await)
    }
}

/// Whether a command was refused only because the keys of its slot are in two places.
fn is_moving(error: &RedisError) -> bool {
    matches!(
        remedy(error),
        Remedy::Wait | Remedy::Ask(_) | Remedy::Moved(_)
    )
}
