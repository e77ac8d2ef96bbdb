use std::iter;

use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value, cmd, pipe};

use super::connection::Connection;
use super::fault::{Remedy, remedy};
use super::unannounced::{Changes, Unannounced};
use crate::backend::redis::scripts::{Call, Publisher};
use crate::backend::redis::wire::answer::changed;
use crate::backend::wire::message;

/// A server that a command is sent to: one that has the slot, or one that takes it over.
pub(super) struct Destination<'a> {
    pub(super) connection: &'a Connection,
    pub(super) is_importing: bool,
}

impl Destination<'_> {
    pub(super) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        if !self.is_importing {
            return self.connection.query(command).await;
        }
        let mut asking = pipe();
        asking.cmd("ASKING").ignore().add_command(command.clone());
        let answers = self.connection.query_all(&asking).await?;
        let nothing = (ErrorKind::UnexpectedReturnType, "no answer");
        answers.into_iter().next().ok_or_else(|| nothing.into())
    }

    /// Runs a script; what it changes is announced when this returns.
    pub(super) async fn run(&self, call: &Call, unannounced: &Unannounced) -> RedisResult<Value> {
        if !call.announces() {
            return self.send(call, Publisher::Script).await;
        }
        match self.publisher(call).await? {
            Publisher::Script => self.run_publishing(call, unannounced).await,
            Publisher::Store => self.run_giving_back(call, unannounced).await,
        }
    }

    /// Sends a script, by its name where the server has it.
    async fn send(&self, call: &Call, publisher: Publisher) -> RedisResult<Value> {
        match self.query(&call.by_hash(publisher)).await {
            Err(error) if remedy(&error) == Remedy::SendScript => {
                self.query(&call.by_code(publisher)).await
            }
            answer => answer,
        }
    }

    /// Who publishes: it is tried once on each connection, because what a script has written stays
    /// where it is stopped at publishing.
    async fn publisher(&self, call: &Call) -> RedisResult<Publisher> {
        let known = *self.connection.publisher().lock();
        if let Some(known) = known {
            return Ok(known);
        }
        let publisher = match self.query(&call.trial()).await {
            Ok(_) => Publisher::Script,
            Err(error) if is_refusal(&error) => Publisher::Store,
            Err(error) => return Err(error),
        };
        *self.connection.publisher().lock() = Some(publisher);
        Ok(publisher)
    }

    async fn run_publishing(&self, call: &Call, unannounced: &Unannounced) -> RedisResult<Value> {
        let answer = self.send(call, Publisher::Script).await;
        match &answer {
            Ok(_) => {
                let earlier = unannounced.changes(iter::empty());
                self.publish(call, earlier).await?;
            }
            // It may have lost the right to publish, and have written before it came to that.
            Err(error) if is_refusal(error) => {
                *self.connection.publisher().lock() = None;
                drop(unannounced.changes(call.may_change()));
            }
            Err(_) => {}
        }
        answer
    }

    async fn run_giving_back(&self, call: &Call, unannounced: &Unannounced) -> RedisResult<Value> {
        // Before it is sent: nobody knows what it does if no answer comes, or nobody waits for it.
        let mut changes = unannounced.changes(call.may_change());
        let answer = self.send(call, Publisher::Store).await;
        if answer.as_ref().is_err_and(is_elsewhere) {
            changes.are(Vec::new());
        }
        let (answer, names) = changed(answer?);
        changes.are(names);
        self.publish(call, changes).await?;
        Ok(answer)
    }

    async fn publish(&self, call: &Call, changes: Changes<'_>) -> RedisResult<()> {
        let (names, end) = changes.with_earlier();
        if names.is_empty() {
            return Ok(());
        }
        let mut publish = cmd("PUBLISH");
        publish.arg(call.channel()).arg(message::encode(&names));
        self.connection.query(&publish).await?;
        changes.announced(end);
        Ok(())
    }
}

/// Whether a server answers that it does not do that.
pub(super) fn is_refusal(error: &RedisError) -> bool {
    matches!(error.code(), Some("ERR" | "NOPERM"))
}

/// Whether nothing was done because keys are elsewhere.
pub(super) fn is_elsewhere(error: &RedisError) -> bool {
    matches!(
        remedy(error),
        Remedy::Wait | Remedy::Ask(_) | Remedy::Moved(_)
    )
}
