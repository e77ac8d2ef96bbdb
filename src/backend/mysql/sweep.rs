//! What cannot be read any more is deleted, a little at a time, by one node of all.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::time::sleep;

use super::fault::Failure;
use super::now::Now;
use super::pool::Pool;
use super::row::{column, unintelligible, whole};
use super::run::Operation;
use super::schema::take_lock;
use super::statements::{SWEPT_AT_ONCE, Sweep};

/// How often a node looks whether something is due.
const EVERY: Duration = Duration::from_secs(30);
/// What a step leaves to others before the next one.
const PAUSE: Duration = Duration::from_millis(20);
/// For how long changes are kept, far longer than any link looks back.
const CHANGES_KEPT: Duration = Duration::from_secs(5 * 60);

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
    if !take_lock(connection, &lock, 0).await? {
        return Ok(());
    }
    let statements = &pool.server.statements;
    let now = Now.on(connection, statements).await?;
    // A row that somebody has locked for long ends the sweep of its own table alone.
    let told = whole(now.before(CHANGES_KEPT));
    let ended = Old(&statements.sweep_ended, None);
    let _ = ended.sweep(connection, -told..=-1).await;
    let changes = Old(&statements.sweep_changes, None);
    let _ = changes.sweep(connection, 0..=told).await;
    let users = Old(&statements.sweep_users, None);
    let _ = users.sweep(connection, 0..=whole(now)).await;
    let sessions = Old(&statements.sweep_sessions, Some(&statements.postpone));
    sessions.sweep(connection, 0..=whole(now)).await
}

/// The old rows of a table, and what keeps some of them.
struct Old<'a>(&'a Sweep, Option<&'a str>);

impl Old<'_> {
    async fn sweep(
        &self,
        connection: &mut Conn,
        times: RangeInclusive<i64>,
    ) -> Result<(), Failure> {
        let mut behind = Some(*times.start());
        while let Some(from) = behind {
            behind = self.step(connection, from, *times.end()).await?;
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Behind which time there may be more to do. Each statement is a transaction of its own: a process that
    /// stands still holds no lock.
    async fn step(
        &self,
        connection: &mut Conn,
        from: i64,
        until: i64,
    ) -> Result<Option<i64>, Failure> {
        let Self(Sweep { due, settle }, postpone) = self;
        let between = (from, until);
        let row = connection.exec_first::<Row, _, _>(due, between).await?;
        let row = row.ok_or_else(unintelligible)?;
        let [count, over, first, last] = counts(&row)?;
        if over > 0 {
            connection.exec_drop(settle, (first, last, over)).await?;
        }
        // Sessions that were used since come up again when they may be over.
        if let Some(postpone) = postpone
            && over < count
        {
            let used = count.saturating_sub(over);
            connection.exec_drop(*postpone, (first, last, used)).await?;
        }
        Ok((count == SWEPT_AT_ONCE).then_some(last))
    }
}

fn counts(row: &Row) -> Result<[i64; 4], Failure> {
    Ok([
        column(row, 0)?,
        column(row, 1)?,
        column(row, 2)?,
        column(row, 3)?,
    ])
}
