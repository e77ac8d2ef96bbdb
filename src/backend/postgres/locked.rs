use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use super::announcement::{ANNOUNCE, Announcement};
use super::columns::Time;
use super::connection::Parameter;
use super::connections::Connections;
use super::fault::failed;
use super::locks::of_bucket;
use super::names::Names;
use super::pipeline::Pipeline;
use super::pool::Lease;
use super::rows::{self, ChangedRows, NewRows, Version};
use super::statements::Statements;
use crate::backend::ledger::{Changes, Ledger};
use crate::backend::stored::Stored;
use crate::backend::wire::user::user_name;
use crate::identity::Identity;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::token::SessionId;

/// Which sessions an operation concerns.
pub(super) struct Concerned<'a> {
    pub(super) bucket: [u8; 2],
    pub(super) ids: &'a [SessionId],
    /// Whose sessions; if it is nobody, those of whoever has the first of `ids`.
    pub(super) user: Option<&'a Identity>,
}

/// Sessions that nobody else changes until the end of a transaction.
pub(super) struct Locked<'a> {
    lease: Lease,
    names: &'a Names,
    now: Timestamp,
    found: Vec<(SessionId, Version)>,
}

impl<'a> Locked<'a> {
    /// Begins the transaction.
    pub(super) async fn read(
        connections: &'a Connections,
        statements: &Statements,
        concerned: &Concerned<'_>,
    ) -> Result<Self, StoreError> {
        let mut lease = connections.writes.lease().await?;
        let names = &connections.primary.settings.names;
        let (space, lock) = (names.lock_space(), of_bucket(concerned.bucket));
        let lock: [Parameter<'_>; 2] = [(&space, Type::INT4), (&lock, Type::INT4)];
        let ids: Vec<_> = concerned.ids.iter().map(ToString::to_string).collect();
        let user = concerned.user.map(user_name);
        let of: [Parameter<'_>; 2] = [(&ids, Type::TEXT_ARRAY), (&user, Type::TEXT)];
        let steps = Pipeline::begin()
            .then(&statements.lock, &lock)
            .then(&statements.read_locked, &of);
        let answers = lease.begin(steps).await.map_err(|error| failed(&error))?;
        let (now, rows) = match answers.as_slice() {
            [locked, rows] => (read_time(locked)?, rows),
            _ => return Err(unintelligible()),
        };
        let found = rows.iter().filter_map(|row| rows::read(row, 0)).collect();
        Ok(Self {
            lease,
            names,
            now,
            found,
        })
    }

    /// A damaged record is the matter of its own session, and not in it.
    pub(super) fn ledger(&self) -> Ledger {
        let sessions = self.found.iter().filter_map(|(id, version)| {
            let stored = version.stored.as_ref().ok()?;
            Some((*id, stored.clone()))
        });
        Ledger::new(self.now, sessions)
    }

    /// Ends the transaction with what was decided. An error says nothing of whether it has happened.
    pub(super) async fn write(
        mut self,
        statements: &Statements,
        changes: Changes,
    ) -> Result<(), Error> {
        let Changes { written, announced } = changes;
        let (new, changed) = self.rows(&written);
        let announcement = Announcement::new(self.names, &announced);
        let (new_rows, changed_rows) = (new.parameters(), changed.parameters());
        let words = announcement.parameters();
        let mut steps = Pipeline::default();
        if !changed.is_empty() {
            steps = steps.then(&statements.update, &changed_rows);
        }
        if !new.is_empty() {
            steps = steps.then(&statements.insert, &new_rows);
        }
        if !announced.is_empty() {
            steps = steps.then(ANNOUNCE, &words);
        }
        self.lease.run(steps.commit()).await.map(drop)
    }

    fn rows(&self, written: &[(SessionId, Stored)]) -> (NewRows, ChangedRows) {
        let (mut new, mut changed) = (NewRows::default(), ChangedRows::default());
        for (id, stored) in written {
            let found = self.found.iter().find(|(other, _)| other == id);
            match (found, stored) {
                (Some((_, version)), _) => changed.push(*id, stored, version.revision),
                (None, Stored::Kept(record)) => new.push(*id, record),
                // What was not there cannot have been revoked.
                (None, Stored::Revoked { .. }) => {}
            }
        }
        (new, changed)
    }
}

fn read_time(rows: &[Row]) -> Result<Timestamp, StoreError> {
    let row = rows.first().ok_or_else(unintelligible)?;
    let now: Time = row.try_get(0).map_err(|error| failed(&error))?;
    Ok(now.0)
}

fn unintelligible() -> StoreError {
    StoreError::unavailable("the server's answer lacks what was asked for")
}
