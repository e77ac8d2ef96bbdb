//! What cannot be read any more is deleted, a little at a time, by one node of all.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::time::sleep;

use super::fault::Failure;
use super::pool::Pool;
use super::row::column;
use super::statements::{SWEPT_AT_ONCE, Statements};

/// How often a node looks whether something is due.
const EVERY: Duration = Duration::from_secs(30);
/// What a step leaves to others before the next one.
const PAUSE: Duration = Duration::from_millis(20);

/// Sweeps again and again. A failure is of no importance: what is left is swept the next time.
pub(super) async fn repeat(pool: &Arc<Pool>) {
    loop {
        if let Ok(mut connection) = pool.server.connect().await {
            let _ = sweep(pool, &mut connection).await;
        }
        // The connection is closed by now, and with it the lock is free.
        sleep(EVERY).await;
    }
}

async fn sweep(pool: &Pool, connection: &mut Conn) -> Result<(), Failure> {
    let lock = pool.server.lock_name("sweep");
    let row = connection
        .exec_first("SELECT GET_LOCK(?, 0)", (&lock,))
        .await?;
    let is_ours = row.map(|row: Row| column::<Option<i64>>(&row, 0));
    if is_ours.transpose()?.flatten() != Some(1) {
        return Ok(());
    }
    let statements = &pool.server.statements;
    while sweep_sessions(statements, connection).await? {
        sleep(PAUSE).await;
    }
    for statement in [&statements.sweep_users, &statements.sweep_changes] {
        while delete(connection, statement).await? {
            sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// One step; whether there may be more to do. Each statement is a transaction of its own: a process that stands
/// still holds no lock.
async fn sweep_sessions(statements: &Statements, connection: &mut Conn) -> Result<bool, Failure> {
    let row = connection
        .exec_first::<Row, _, _>(&statements.due, ())
        .await?;
    let Some(row) = row else {
        return Ok(false);
    };
    let (count, until): (u64, i64) = (column(&row, 0)?, column(&row, 1)?);
    if count > 0 {
        // Sessions that were used since come up again when they may be over.
        connection.exec_drop(&statements.postpone, (until,)).await?;
        connection
            .exec_drop(&statements.sweep_sessions, (until,))
            .await?;
    }
    Ok(count == SWEPT_AT_ONCE)
}

async fn delete(connection: &mut Conn, statement: &str) -> Result<bool, Failure> {
    connection.exec_drop(statement, ()).await?;
    Ok(connection.affected_rows() == SWEPT_AT_ONCE)
}
