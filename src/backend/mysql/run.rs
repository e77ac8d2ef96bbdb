//! Operations on connections, and when they are tried again.

use std::future::Future;
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use super::fault::Failure;
use super::pool::{Lease, Pool};
use super::script::Script;
use super::statements::Statements;

/// How often an operation is tried.
const TRIES: usize = 4;

pub(super) const BEGIN: &str = "START TRANSACTION";
pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// What is done on one connection, perhaps several times until nothing comes in between.
pub(super) trait Operation: Sync {
    type Answer: Send;

    fn on(
        &self,
        connection: &mut Conn,
        statements: &Statements,
    ) -> impl Future<Output = Result<Self::Answer, Failure>> + Send;
}

/// Statements that happen together or not at all.
struct Transaction<'a, O>(&'a O);

impl<O: Operation> Operation for Transaction<'_, O> {
    type Answer = O::Answer;

    async fn on(
        &self,
        connection: &mut Conn,
        statements: &Statements,
    ) -> Result<O::Answer, Failure> {
        connection.query_drop(BEGIN).await?;
        let answer = self.0.on(connection, statements).await?;
        commit(connection, Script::default()).await?;
        Ok(answer)
    }
}

/// Ends a transaction, behind its last statements.
pub(super) async fn commit(on: &mut Conn, last: Script) -> Result<(), Failure> {
    match last.then(COMMIT, &[]).run(on).await {
        Ok(()) => Ok(()),
        // Refused, such as by the other servers of a cluster: it was rolled back.
        Err(error @ Error::Server(_)) => Err(error.into()),
        Err(error) => Err(Failure::Unknown(error)),
    }
}

impl Pool {
    /// Runs statements that happen together or not at all.
    pub(super) async fn transact<O: Operation>(
        self: &Arc<Self>,
        operation: &O,
    ) -> Result<O::Answer, Failure> {
        self.run(&Transaction(operation)).await
    }

    /// The same of what takes the lock on a user in this bucket: in turns, so that many at once of one user keep
    /// no connections from everybody else.
    pub(super) async fn transact_in_turn<O: Operation>(
        self: &Arc<Self>,
        bucket: [u8; 2],
        operation: &O,
    ) -> Result<O::Answer, Failure> {
        let _lock = self.user_locks.lock(bucket).await;
        self.transact(operation).await
    }

    /// Runs one statement, or some that change nothing when they are done again.
    pub(super) async fn run<O: Operation>(
        self: &Arc<Self>,
        operation: &O,
    ) -> Result<O::Answer, Failure> {
        let statements = &self.server.statements;
        let mut tries = 0;
        loop {
            tries += 1;
            let mut lease = self.lease().await?;
            let failure = match operation.on(&mut lease.connection, statements).await {
                Ok(answer) => {
                    lease.give_back();
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            let is_tried_again = tries < TRIES && failure.remedy().helps(lease.is_new);
            self.recover(lease, &failure).await;
            if !is_tried_again {
                return Err(failure);
            }
        }
    }

    /// Leaves nothing behind of an operation that failed.
    async fn recover(&self, mut lease: Lease, failure: &Failure) {
        self.server.learn(failure);
        if failure.breaks_connection() || failure.is_about_server() {
            // The name may lead to another server by now.
            self.close_idle();
            return;
        }
        if lease.connection.query_drop(ROLLBACK).await.is_ok() {
            lease.give_back();
        }
    }
}
