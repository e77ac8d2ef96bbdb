//! Loads: those that come while others are under way are one statement.

use std::collections::HashMap;
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row};

use super::Loading;
use super::fault::Failure;
use super::pool::Pool;
use super::row::Sessions;
use super::run::Operation;
use super::statements::Statements;
use crate::backend::wire::bytes::corrupt;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::token::SessionId;

/// What is kept of each session, and the time.
pub(super) async fn load(
    pool: Arc<Pool>,
    ids: Vec<SessionId>,
) -> Result<Vec<(Timestamp, Option<Loading>)>, StoreError> {
    let sessions = pool.run(&Named(&ids)).await;
    let sessions = sessions.map_err(|failure| failure.at(&pool.server.location.address))?;
    let now = sessions.now;
    let damaged = sessions.damaged.into_iter();
    let mut found: HashMap<_, Loading> = damaged.map(|(id, _)| (id, Err(corrupt()))).collect();
    found.extend(sessions.kept.into_iter().map(|(id, kept)| (id, Ok(kept))));
    Ok(ids.iter().map(|id| (now, found.get(id).cloned())).collect())
}

struct Named<'a>(&'a [SessionId]);

impl Operation for Named<'_> {
    type Answer = Sessions;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Sessions, Failure> {
        read(on, statements, self.0).await
    }
}

/// Reads sessions by their names.
pub(super) async fn read(
    on: &mut Conn,
    statements: &Statements,
    ids: &[SessionId],
) -> Result<Sessions, Failure> {
    let names = ids.iter().map(|id| id.as_bytes().as_slice().into());
    let names = padded(&names.collect::<Vec<_>>());
    let statement = statements.sessions(names.len());
    let rows: Vec<Row> = on.exec(statement, Params::Positional(names)).await?;
    Sessions::read(rows)
}

/// The list with its last value repeated, up to a power of two: so few statements do for all lengths.
pub(super) fn padded<T: Clone>(values: &[T]) -> Vec<T> {
    let length = values.len().next_power_of_two();
    let last = values.last().into_iter().cycle();
    values.iter().chain(last).take(length).cloned().collect()
}
