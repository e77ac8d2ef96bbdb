//! Ends of single sessions: one `UPDATE`, whose conditions stand on the row, and which links find by the row's index.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Params};

use super::fault::{Failure, OUT_OF_RANGE};
use super::row::number;
use super::run::Operation;
use super::statements::Statements;
use crate::backend::wire::bytes::LATEST;
use crate::backend::wire::reason::name;
use crate::store::Revoke;
use crate::token::SessionId;

/// Ends one session; `false` if it was revoked already, has a successor that is to end with it, or there is nothing to
/// end.
///
/// It may be tried again after an answer that is lost: the session is over then.
pub(super) struct End<'a>(pub(super) SessionId, pub(super) &'a Revoke);

impl Operation for End<'_> {
    type Answer = bool;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<bool, Failure> {
        let Self(id, revoke) = self;
        let issued_by = revoke.issued_by.map_or(LATEST.into(), number);
        let reason = name(revoke.reason.into()).into();
        let values = vec![reason, id.as_bytes().as_slice().into(), issued_by];
        match on
            .exec_drop(&statements.end, Params::Positional(values))
            .await
        {
            Ok(()) => Ok(on.affected_rows() > 0),
            // A damaged record: it takes a look to end that.
            Err(Error::Server(error)) if error.code == OUT_OF_RANGE => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
