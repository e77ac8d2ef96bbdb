//! Ends of single sessions: one `UPDATE`, whose conditions stand on the row, and which links find by the row's index.
//!
//! Each goes by itself, and waits for nobody but those who are about the same session. Where many come at the same
//! time they are one transaction of one round trip, which waits for nobody. Either may be done again where its answer
//! is lost: what it has ended is over then.

use std::collections::HashSet;
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Params, Row, Value};

use super::fault::{Failure, is_about_row};
use super::pool::Pool;
use super::row::{number, session_id};
use super::run::{BEGIN, COMMIT, Operation, ROLLBACK};
use super::script::Script;
use super::statements::Statements;
use crate::backend::wire::bytes::LATEST;
use crate::backend::wire::reason::name;
use crate::store::{Revoke, StoreError};

/// Whether each of these has ended the one session that is its target. It has not if that was revoked already, has a
/// successor that is to end with it, is not there, or is locked by somebody.
pub(super) async fn end(
    pool: Arc<Pool>,
    revocations: Vec<Revoke>,
) -> Result<Vec<bool>, StoreError> {
    let mut ended = Vec::with_capacity(revocations.len());
    for of_one_reason in revocations.chunk_by(|one, next| one.reason == next.reason) {
        let done = match of_one_reason {
            [alone] => pool.run(&Alone(alone)).await.map(|ended| vec![ended]),
            together => pool.run(&Together(together)).await,
        };
        ended.extend(done.map_err(|failure| failure.at(&pool.server.location.address))?);
    }
    Ok(ended)
}

struct Alone<'a>(&'a Revoke);

impl Operation for Alone<'_> {
    type Answer = bool;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<bool, Failure> {
        let values = values(std::slice::from_ref(self.0));
        match on
            .exec_drop(statements.end(1), Params::Positional(values))
            .await
        {
            Ok(()) => Ok(on.affected_rows() > 0),
            Err(Error::Server(error)) if is_about_row(error.code) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The same of several, for one reason. What was issued too late for one of them is not ended.
struct Together<'a>(&'a [Revoke]);

impl Operation for Together<'_> {
    type Answer = Vec<bool>;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Vec<bool>, Failure> {
        let (count, values) = (self.0.len(), values(self.0));
        let script = Script::default()
            .then(BEGIN, &[])
            .then(&statements.lock_to_end(count), &values[1..])
            .then(&statements.end(count), &values)
            .then(COMMIT, &[]);
        match script.rows(on).await {
            Ok(rows) => self.answers(&rows),
            Err(Error::Server(error)) if is_about_row(error.code) => {
                on.query_drop(ROLLBACK).await?;
                Ok(vec![false; count])
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Together<'_> {
    /// By what was read before it was changed. It was locked: if a session was over when it came to that, it is over
    /// either way.
    fn answers(&self, ended: &[Row]) -> Result<Vec<bool>, Failure> {
        let ended = ended.iter().map(|row| session_id(row, 0));
        let mut ended: HashSet<_> = ended.collect::<Result<_, _>>()?;
        // Of two that end one session the first has done it.
        let answers = self
            .0
            .iter()
            .map(|revoke| ended.remove(&revoke.target.session()));
        Ok(answers.collect())
    }
}

/// Of the statement: why sessions end, their names, and until when they were issued.
fn values(revocations: &[Revoke]) -> Vec<Value> {
    let reason = revocations
        .iter()
        .map(|revoke| name(revoke.reason.into()).into());
    let issued_by = revocations
        .iter()
        .filter_map(|revoke| revoke.issued_by)
        .min();
    let ids = revocations
        .iter()
        .filter_map(|revoke| revoke.target.session());
    let names = ids.map(|id| id.as_bytes().as_slice().into());
    let issued_by = issued_by.map_or(LATEST.into(), number);
    reason.take(1).chain(names).chain([issued_by]).collect()
}
