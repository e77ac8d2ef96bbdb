//! Uses, and whether they could be written.

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params};

use super::fault::Failure;
use super::loads;
use super::pool::Pool;
use super::row::number;
use super::run::{BEGIN, Operation, ROLLBACK};
use super::statements::Statements;
use crate::backend::stored::Stored;
use crate::backend::wire::bytes::LATEST;
use crate::random;
use crate::session::Touch;
use crate::store::StoreError;
use crate::time::{Timestamp, millis};

/// How often a use is written that others get in the way of.
const TRIES: usize = 4;

pub(super) async fn touch(
    pool: &Arc<Pool>,
    touch: &Touch,
) -> Result<Option<Timestamp>, StoreError> {
    let address = &pool.server.location.address;
    for _ in 0..TRIES {
        let refused = match pool.run(touch).await {
            Ok(Some(deadline)) => return Ok(Some(deadline)),
            Ok(None) => None,
            Err(failure) if failure.is_refused_write() => Some(failure),
            Err(failure) => return Err(failure.at(address)),
        };
        match (examine(pool, touch).await?, refused) {
            (Examined::NotTaken, _) => return Ok(None),
            (Examined::Covered(deadline), _) => return Ok(Some(deadline)),
            (Examined::ToBeWritten, Some(refused)) => return Err(refused.unwritten(address)),
            // It would be written now: another use has come between the two statements.
            (Examined::ToBeWritten, None) => {}
        }
    }
    Err(StoreError::unavailable("others keep changing the session"))
}

/// The new deadline, if the session took the use in.
impl Operation for Touch {
    type Answer = Option<Timestamp>;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Self::Answer, Failure> {
        let (used, since) = (|| number(self.used_at), number(self.since));
        let slack = millis(self.slack).min(LATEST).into();
        let id = self.id.as_bytes().as_slice().into();
        let values = vec![used(), used(), slack, id, since, used(), used(), used()];
        on.exec_drop(&statements.touch, Params::Positional(values))
            .await?;
        let is_written = on.affected_rows() > 0;
        let deadline = on.last_insert_id().filter(|_| is_written);
        Ok(deadline.map(Timestamp::from_millis))
    }
}

/// What a use means that was not written.
enum Examined {
    NotTaken,
    Covered(Timestamp),
    ToBeWritten,
}

async fn examine(pool: &Arc<Pool>, touch: &Touch) -> Result<Examined, StoreError> {
    let found = loads::load(Arc::clone(pool), vec![touch.id]).await?;
    let Some((now, Some(Ok(Stored::Kept(before))))) = found.into_iter().next() else {
        return Ok(Examined::NotTaken);
    };
    let mut after = before.clone();
    Ok(match after.touch(touch, now) {
        None => Examined::NotTaken,
        Some(deadline) if after == before => Examined::Covered(deadline),
        Some(_) => Examined::ToBeWritten,
    })
}

/// A row is written and taken back.
struct Trial([u8; 16]);

impl Operation for Trial {
    type Answer = ();

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<(), Failure> {
        on.query_drop(BEGIN).await?;
        on.exec_drop(&statements.trial, (&self.0[..],)).await?;
        Ok(on.query_drop(ROLLBACK).await?)
    }
}

/// Fails if the server takes no writes.
pub(super) async fn try_writing(pool: &Arc<Pool>) -> Result<(), StoreError> {
    let mut nobody = [0; 16];
    random::fill(&mut nobody).map_err(StoreError::unavailable)?;
    let tried = pool.run(&Trial(nobody)).await;
    let address = &pool.server.location.address;
    tried.map_err(|failure| match failure.is_refused_write() {
        true => failure.unwritten(address),
        false => failure.at(address),
    })
}
