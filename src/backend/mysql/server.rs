//! The server, and the tables on it.

use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::fault::{Failure, NO_SUCH_TABLE};
use super::location::Location;
use super::row::column;
use super::schema;
use super::statements::Statements;
use crate::observe::trace;

/// Where sessions are, and how they are asked for.
pub(super) struct Server {
    pub(super) location: Location,
    pub(super) prefix: String,
    pub(super) statements: Statements,
    /// Whether the tables were found. Relaxed is enough: who does not see it yet looks once more.
    has_tables: AtomicBool,
}

impl Server {
    pub(super) fn new(location: Location, prefix: &str) -> Self {
        Self {
            location,
            prefix: prefix.to_owned(),
            statements: Statements::new(prefix),
            has_tables: AtomicBool::new(false),
        }
    }

    /// Makes the tables unless they are there; on the first connection, and after one was found missing.
    pub(super) async fn prepare(&self, connection: &mut Conn) -> Result<(), Failure> {
        if self.has_tables.load(Ordering::Relaxed) {
            return Ok(());
        }
        schema::prepare(connection, &self.prefix, &self.location.database).await?;
        if !self.has_tables.swap(true, Ordering::Relaxed) {
            warn_of_losses(connection).await?;
        }
        Ok(())
    }

    /// Takes in why an operation failed.
    pub(super) fn learn(&self, failure: &Failure) {
        if failure.code() == Some(NO_SUCH_TABLE) {
            self.has_tables.store(false, Ordering::Relaxed);
        }
    }

    /// The name of a lock that all nodes of this store know.
    pub(super) fn lock_name(&self, what: &str) -> String {
        schema::lock_name(what, &self.prefix, &self.location.database)
    }
}

/// Says so where the server may lose what it has acknowledged.
async fn warn_of_losses(connection: &mut Conn) -> Result<(), Failure> {
    let asked = "SELECT @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog";
    let row = match connection.query_first::<Row, _>(asked).await {
        Ok(row) => row,
        // Not every server knows them.
        Err(mysql_async::Error::Server(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let Some(row) = row else {
        return Ok(());
    };
    let is = |index, value: i64| column::<i64>(&row, index).is_ok_and(|is| is == value);
    if !is(0, 1) {
        trace::store_may_lose_writes("innodb_flush_log_at_trx_commit");
    }
    if is(1, 1) && !is(2, 1) {
        trace::store_may_lose_writes("sync_binlog");
    }
    Ok(())
}
