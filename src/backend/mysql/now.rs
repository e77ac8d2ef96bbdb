use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::fault::Failure;
use super::row::only_time;
use super::run::Operation;
use super::statements::Statements;
use crate::time::Timestamp;

/// The server's time.
pub(super) struct Now;

impl Operation for Now {
    type Answer = Timestamp;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<Timestamp, Failure> {
        only_time(on.exec_first::<Row, _, _>(&statements.now, ()).await?)
    }
}
