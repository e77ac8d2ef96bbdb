//! Ends of single sessions: those that come while others are under way are one transaction.
//!
//! They take no lock on a user. The row is locked, and whatever else concerns a session locks its row, too. What
//! has a successor, or is locked by somebody, goes by itself: nobody waits for another one's lock.

use std::collections::HashSet;
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use super::ends::Ends;
use super::fault::{Failure, is_locked};
use super::now::Now;
use super::pool::Pool;
use super::row::Sessions;
use super::run::{BEGIN, Operation, ROLLBACK, commit};
use super::script::Script;
use super::statements::Statements;
use super::users::{announce, end_of_damaged, overwrite};
use crate::backend::ledger::{Changes, Ledger};
use crate::store::{Revoke, StoreError};
use crate::token::SessionId;

/// What became of each of these, with one session as the target of each; `None` if it has to go by itself.
pub(super) async fn revoke(
    pool: Arc<Pool>,
    revocations: Vec<Revoke>,
) -> Result<Vec<Option<Vec<SessionId>>>, StoreError> {
    let revoked = revoke_all(&pool, &revocations).await;
    revoked.map_err(|failure| failure.at(&pool.server.location.address))
}

async fn revoke_all(
    pool: &Arc<Pool>,
    revocations: &[Revoke],
) -> Result<Vec<Option<Vec<SessionId>>>, Failure> {
    // Most are of live sessions, and need not be looked at first.
    if pool.run(&Ends(revocations)).await? {
        let ended = revocations.iter().map(|revoke| revoke.target.session());
        return Ok(ended.map(|id| Some(Vec::from_iter(id))).collect());
    }
    pool.run(&Together(revocations)).await
}

/// A transaction of two round trips: what is locked and read, and what is written and committed.
struct Together<'a>(&'a [Revoke]);

impl Operation for Together<'_> {
    type Answer = Vec<Option<Vec<SessionId>>>;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Self::Answer, Failure> {
        let ids = self.0.iter().filter_map(|revoke| revoke.target.session());
        let ids: Vec<_> = ids.collect();
        let Some(read) = lock(on, statements, &ids).await? else {
            on.query_drop(ROLLBACK).await?;
            return Ok(vec![None; self.0.len()]);
        };
        let mut changes = Changes::default();
        let mut seen = HashSet::new();
        let answers = self.0.iter().zip(ids).map(|(revoke, id)| {
            let is_first = seen.insert(id);
            is_first.then(|| end(&read, id, revoke, &mut changes))?
        });
        let answers = answers.collect();
        let script = overwrite(statements, &changes.written);
        commit(on, announce(script, statements, &changes.announced)).await?;
        Ok(answers)
    }
}

/// Ends one session; `None` if it has a successor.
fn end(
    read: &Sessions,
    id: SessionId,
    revoke: &Revoke,
    changes: &mut Changes,
) -> Option<Vec<SessionId>> {
    let kept = read.kept.iter().find(|(kept, _)| *kept == id).cloned();
    let record = kept.as_ref().and_then(|(_, stored)| stored.record());
    if record.is_some_and(|record| record.successor.is_some()) {
        return None;
    }
    let mut ledger = Ledger::new(read.now, kept);
    let mut revoked = ledger.revoke(revoke);
    let damaged = end_of_damaged(read, revoke);
    revoked.extend(damaged.iter().map(|(id, _)| *id));
    let Changes { written, announced } = ledger.changes();
    changes.written.extend(written.into_iter().chain(damaged));
    changes.announced.extend(announced);
    Some(revoked)
}

/// Begins a transaction, and locks and reads sessions; `None` if somebody has a lock on one of them.
async fn lock(
    on: &mut Conn,
    statements: &Statements,
    ids: &[SessionId],
) -> Result<Option<Sessions>, Failure> {
    let names = ids.iter().map(|id| id.as_bytes().as_slice().into());
    let names: Vec<_> = names.collect();
    let begun = Script::default().then(BEGIN, &[]);
    let script = begun.then(&statements.sessions_to_lock(names.len()), &names);
    let rows = match script.rows(on).await {
        Ok(rows) => rows,
        Err(Error::Server(error)) if is_locked(error.code) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut read = Sessions::read(rows)?;
    if read.is_empty() {
        read.now = Now.on(on, statements).await?;
    }
    Ok(Some(read))
}
