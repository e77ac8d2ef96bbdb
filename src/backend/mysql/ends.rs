//! Ends of sessions of which each is over and done with by itself: one round trip, in which nothing is decided by what
//! was read.

use mysql_async::Error;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use super::fault::{Failure, is_about_row};
use super::row::number;
use super::run::{BEGIN, COMMIT, Operation, ROLLBACK};
use super::script::Script;
use super::statements::Statements;
use crate::backend::wire::bytes::LATEST;
use crate::backend::wire::reason::name;
use crate::store::Revoke;
use crate::token::SessionId;

/// Ends all of them, or none: `false` if one was revoked already, has a successor, is not there, or is locked by somebody.
///
/// Done again it finds them revoked, and so it may be, whether its answer was lost or not.
pub(super) struct Ends<'a>(pub(super) &'a [Revoke]);

impl Operation for Ends<'_> {
    type Answer = bool;

    async fn on(&self, on: &mut Conn, statements: &Statements) -> Result<bool, Failure> {
        let Some(script) = self.script(statements) else {
            return Ok(false);
        };
        match script.run(on).await {
            Ok(()) => Ok(true),
            Err(Error::Server(error)) if is_about_row(error.code) => {
                on.query_drop(ROLLBACK).await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Ends<'_> {
    /// One statement has one reason for all.
    fn script(&self, statements: &Statements) -> Option<Script> {
        let reason = self.0.first()?.reason;
        if self.0.iter().any(|revoke| revoke.reason != reason) {
            return None;
        }
        let ids = self.0.iter().filter_map(|revoke| revoke.target.session());
        let ids: Vec<SessionId> = ids.collect();
        let names: Vec<Value> = ids
            .iter()
            .map(|id| id.as_bytes().as_slice().into())
            .collect();
        let all: Vec<u8> = ids.iter().flat_map(|id| *id.as_bytes()).collect();
        let values = [
            &[name(reason.into()).into()],
            &names[..],
            &[self.issued_by()],
        ]
        .concat();
        let mut script = Script::default().then(BEGIN, &[]);
        // Whoever is alone waits for nobody but those who are about the same session.
        if names.len() > 1 {
            script = script.then(&statements.lock_free(names.len()), &names);
        }
        let script = script
            .then(&statements.end(names.len()), &values)
            .then(&statements.announce_if(names.len()), &[all.into()]);
        Some(script.then(COMMIT, &[]))
    }

    /// What is good for all of them.
    fn issued_by(&self) -> Value {
        let issued_by = self.0.iter().filter_map(|revoke| revoke.issued_by).min();
        issued_by.map_or(LATEST.into(), number)
    }
}
