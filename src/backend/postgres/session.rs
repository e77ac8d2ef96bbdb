use std::collections::HashMap;

use tokio_postgres::{CancelToken, Client, Error, Row, Statement};

use super::connection::Parameter;
use super::direct;
use crate::sync::Lock;

/// A session at the server.
///
/// If no pooler is in between, statements are prepared the first time that they are asked, which spares the
/// server three quarters of what a load takes, and what the store relies on is set once. Behind a pooler each
/// statement is sent with its text, and each transaction says what it needs: a name that this process
/// has given a statement may be another process's there.
pub(super) struct Session {
    client: Client,
    /// By their texts.
    prepared: Option<Lock<HashMap<Box<str>, Statement>>>,
}

impl Session {
    pub(super) async fn on(client: Client) -> Result<Self, Error> {
        let is_direct = direct::set_up(&client).await?;
        Ok(Self {
            client,
            prepared: is_direct.then(Lock::default),
        })
    }

    /// Whether nobody else has it between two transactions.
    pub(super) const fn is_direct(&self) -> bool {
        self.prepared.is_some()
    }

    /// Makes sure that a statement is prepared, where it may be.
    pub(super) async fn prepare(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<(), Error> {
        let Some(prepared) = &self.prepared else {
            return Ok(());
        };
        if prepared.lock().contains_key(statement) {
            return Ok(());
        }
        let types: Vec<_> = parameters.iter().map(|(_, of)| of.clone()).collect();
        let new = self.client.prepare_typed(statement, &types).await?;
        prepared.lock().insert(statement.into(), new);
        Ok(())
    }

    /// The rows of a statement. The first poll sends it.
    pub(super) async fn query(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Error> {
        match self.prepared(statement) {
            Some(prepared) => {
                let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
                self.client.query(&prepared, &values).await
            }
            None => self.client.query_typed(statement, parameters).await,
        }
    }

    fn prepared(&self, statement: &str) -> Option<Statement> {
        self.prepared.as_ref()?.lock().get(statement).cloned()
    }

    /// Commands without rows. The first poll sends them.
    pub(super) async fn command(&self, commands: &str) -> Result<(), Error> {
        self.client.batch_execute(commands).await
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) fn cancel_token(&self) -> CancelToken {
        self.client.cancel_token()
    }
}
