//! What concerns several sessions of a user: the lock on the user, then what is read, decided, written and
//! announced, in one transaction.

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Params, Row};

use super::fault::{DUPLICATE, Failure};
use super::loads;
use super::now::Now;
use super::pool::Pool;
use super::row::{Sessions, columns};
use super::run::{Operation, ROLLBACK};
use super::script::Script;
use super::statements::{LIST, Statements};
use crate::backend::ledger::{Changes, Ledger};
use crate::backend::stored::Stored;
use crate::backend::wire::user::user_name_bytes;
use crate::identity::Identity;
use crate::session::Record;
use crate::store::{Insert, Inserted, Revoke, Rotate, Rotated, Target};
use crate::token::SessionId;

/// A login goes in by one statement if it concerns no other session.
pub(super) async fn insert(pool: &Arc<Pool>, insert: &Insert) -> Result<Inserted, Failure> {
    match insert.cap.is_none() && insert.retire.is_none() {
        true => pool.run(&Alone(insert)).await,
        false => pool.transact_in_turn(insert.id.bucket(), insert).await,
    }
}

struct Alone<'a>(&'a Insert);

impl Operation for Alone<'_> {
    type Answer = Inserted;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Inserted, Failure> {
        let new = Stored::Kept(self.0.record.clone());
        match add(on, statements, self.0.id, &new).await {
            Ok(true) => Ok(Inserted::Kept(Vec::new())),
            Ok(false) => Ok(Inserted::Taken),
            // It may have gone in before the connection was lost: another try would find it taken.
            Err(Failure::Client(error)) if error.is_fatal() => Err(Failure::Unknown(error)),
            Err(failure) => Err(failure),
        }
    }
}

impl Operation for Insert {
    type Answer = Inserted;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Inserted, Failure> {
        let read = read_user(on, statements, &self.record.identity).await?;
        let known = known(&read);
        let mut ledger = Ledger::new(read.now, read.kept);
        let inserted = ledger.insert(self.clone());
        Ok(
            match write(on, statements, &known, ledger.changes()).await? {
                true => inserted,
                false => Inserted::Taken,
            },
        )
    }
}

impl Operation for Rotate {
    type Answer = Rotated;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Rotated, Failure> {
        let read = read_line(on, statements, self.old).await?;
        let known = known(&read);
        let mut ledger = Ledger::new(read.now, read.kept);
        let rotated = ledger.rotate(self.clone());
        Ok(
            match write(on, statements, &known, ledger.changes()).await? {
                true => rotated,
                false => Rotated::Taken,
            },
        )
    }
}

impl Operation for Revoke {
    type Answer = Vec<SessionId>;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Vec<SessionId>, Failure> {
        let read = match &self.target {
            Target::Session(id) => read_line(on, statements, *id).await?,
            Target::User(user) | Target::Others { user, .. } => {
                read_user(on, statements, user).await?
            }
        };
        let known = known(&read);
        let damaged = end_of_damaged(&read, self);
        let mut ledger = Ledger::new(read.now, read.kept);
        let mut revoked = ledger.revoke(self);
        let mut changes = ledger.changes();
        revoked.extend(damaged.iter().map(|(id, _)| *id));
        changes.written.extend(damaged);
        write(on, statements, &known, changes).await?;
        Ok(revoked)
    }
}

/// The live sessions of a user.
pub(super) struct List<'a>(pub(super) &'a Identity);

impl Operation for List<'_> {
    type Answer = Vec<(SessionId, Record)>;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Self::Answer, Failure> {
        let user = user_name_bytes(self.0);
        let rows: Vec<Row> = on.exec(&statements.sessions_of, (&user[..],)).await?;
        let read = Sessions::read(rows)?;
        Ok(Ledger::new(read.now, read.kept).list())
    }
}

/// Takes the lock on a user.
pub(super) async fn lock(
    on: &mut Conn,
    statements: &Statements,
    user: &[u8],
) -> Result<(), Failure> {
    Ok(on.exec_drop(&statements.lock, (user,)).await?)
}

/// Takes the lock on a user, and reads the sessions that were not revoked: by a statement of its own, so that
/// it sees what others wrote before they let go of the lock.
async fn read_user(
    on: &mut Conn,
    statements: &Statements,
    user: &Identity,
) -> Result<Sessions, Failure> {
    let user = user_name_bytes(user);
    lock(on, statements, &user).await?;
    let rows: Vec<Row> = on
        .exec(&statements.sessions_of_locked, (&user[..],))
        .await?;
    Sessions::read(rows)
}

/// Takes the lock on the user of a session, and reads the session and what may have taken its place.
async fn read_line(
    on: &mut Conn,
    statements: &Statements,
    id: SessionId,
) -> Result<Sessions, Failure> {
    let name = (id.as_bytes().as_slice(),);
    on.exec_drop(&statements.lock_by_session, name).await?;
    if on.affected_rows() > 0 {
        let rows: Vec<Row> = on.exec(&statements.line_of_locked, name).await?;
        if !rows.is_empty() {
            return Sessions::read(rows);
        }
    }
    // It is not known, or was revoked, which is for ever: nobody has to be kept out.
    let mut read = loads::read(on, statements, &[id]).await?;
    if read.is_empty() {
        read.now = Now.on(on, statements).await?;
    }
    Ok(read)
}

fn known(read: &Sessions) -> Vec<SessionId> {
    let kept = read.kept.iter().map(|(id, _)| *id);
    let damaged = read.damaged.iter().map(|(id, _)| *id);
    kept.chain(damaged).collect()
}

/// What takes the place of a damaged record whose session is to end.
fn end_of_damaged(read: &Sessions, revoke: &Revoke) -> Vec<(SessionId, Stored)> {
    let target = revoke.target.session();
    let damaged = read.damaged.iter();
    let damaged = damaged.filter(|(id, _)| Some(*id) == target);
    let revoked = |until| Stored::Revoked {
        reason: revoke.reason.into(),
        at: read.now,
        until,
    };
    damaged.map(|(id, until)| (*id, revoked(*until))).collect()
}

/// Writes what has changed, and announces it; `false` if the name of a new session is taken, where nothing
/// is left of it.
async fn write(
    on: &mut Conn,
    statements: &Statements,
    known: &[SessionId],
    changes: Changes,
) -> Result<bool, Failure> {
    let written = changes.written.into_iter();
    let (old, new): (Vec<_>, Vec<_>) = written.partition(|(id, _)| known.contains(id));
    let mut script = overwrite(statements, &old);
    for (id, stored) in &new {
        script = script.then(&statements.insert, &columns(*id, stored));
    }
    script = announce(script, statements, &changes.announced);
    match script.run(on).await {
        Ok(()) => Ok(true),
        Err(Error::Server(error)) if error.code == DUPLICATE => {
            on.query_drop(ROLLBACK).await?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Overwrites sessions that were read and locked.
fn overwrite(statements: &Statements, sessions: &[(SessionId, Stored)]) -> Script {
    let some = sessions.chunks(LIST);
    some.fold(Script::default(), |script, some| {
        let values = some.iter().flat_map(|(id, stored)| columns(*id, stored));
        let values: Vec<_> = values.collect();
        script.then(&statements.overwrite(some.len()), &values)
    })
}

/// Adds a session; `false` if its name is taken.
async fn add(
    on: &mut Conn,
    statements: &Statements,
    id: SessionId,
    stored: &Stored,
) -> Result<bool, Failure> {
    let row = Params::Positional(columns(id, stored));
    match on.exec_drop(&statements.insert, row).await {
        Ok(()) => Ok(true),
        Err(Error::Server(error)) if error.code == DUPLICATE => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// In the transaction of the change, and as its last statement: see the link.
fn announce(script: Script, statements: &Statements, ids: &[SessionId]) -> Script {
    if ids.is_empty() {
        return script;
    }
    let names: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
    script.then(&statements.announce, &[names.into()])
}
