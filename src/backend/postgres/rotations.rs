//! Rotations: those that come while others are under way are one transaction, and one wait for the database's only
//! queue of announcements.

use std::collections::HashSet;

use tokio_postgres::types::Type;

use super::announcement::{ANNOUNCE, Announcement};
use super::connection::Parameter;
use super::connections::Connections;
use super::fault::{is_taken, refused};
use super::firsts::Firsts;
use super::locks::of_bucket;
use super::pipeline::Pipeline;
use super::rows::{self, ChangedRows, Found, NewRows, Version};
use super::statements::Statements;
use crate::backend::ledger::{Changes, Ledger};
use crate::backend::stored::Stored;
use crate::session::Record;
use crate::store::{Rotate, Rotated, StoreError};
use crate::token::SessionId;

/// One session takes another one's place, if that is still as it was found.
pub(super) struct Rotation {
    old: (SessionId, Stored, i32),
    new: (SessionId, Record),
}

impl Rotation {
    /// What a rotation of a session comes to that has not been rotated before; `None` of another one, and if
    /// nothing is to be written.
    pub(super) fn decided(found: Found, rotate: &Rotate) -> Option<(Self, Rotated)> {
        let Version { stored, revision } = found.version?;
        let stored = stored.ok()?;
        if stored.record()?.is_retired() {
            return None;
        }
        let mut ledger = Ledger::new(found.now, [(rotate.old, stored)]);
        let rotated = ledger.rotate(rotate.clone());
        let Changes { mut written, .. } = ledger.changes();
        let mut take = |id| {
            let place = written.iter().position(|(written, _)| *written == id)?;
            Some(written.swap_remove(place).1)
        };
        let (old, new) = (take(rotate.old)?, take(rotate.new)?);
        let rotation = Self {
            old: (rotate.old, old, revision),
            new: (rotate.new, new.record()?.clone()),
        };
        Some((rotation, rotated))
    }
}

/// Rotations to write, as the columns of `RETIRE` and `INSERT_SUCCESSORS`.
#[derive(Default)]
struct Columns {
    ids: Vec<SessionId>,
    names: Vec<String>,
    locks: Vec<i32>,
    changed: ChangedRows,
    new: NewRows,
}

impl Columns {
    fn push(&mut self, rotation: &Rotation) {
        let ((id, old, revision), (new_id, new)) = (&rotation.old, &rotation.new);
        self.ids.push(*id);
        self.names.push(id.to_string());
        self.locks.push(of_bucket(id.bucket()));
        self.changed.push(*id, old, *revision);
        self.new.push(*new_id, new);
    }
}

/// Whether each rotation was written. It was not if the session is not as it was found, if somebody has it or
/// its user locked, or if the new name is taken.
pub(super) async fn write(
    connections: &Connections,
    statements: &Statements,
    rotations: Vec<Rotation>,
) -> Result<Vec<bool>, StoreError> {
    // The second of two finds something else than it expects.
    let rotations = Firsts::of(rotations, |one| one.old.0);
    let mut columns = Columns::default();
    rotations.iter().for_each(|rotation| columns.push(rotation));
    let retired = write_columns(connections, statements, &columns).await?;
    Ok(rotations.answers(|rotation| retired.contains(&rotation.old.0.to_string())))
}

/// The names of the sessions that others have taken the place of.
///
/// The locks of the users are had before anything is written, and until the end: whoever ends all sessions
/// of a user, or counts them, waits, and reads the new one behind that. They are not waited for, so that they may be
/// taken in any order.
async fn write_columns(
    connections: &Connections,
    statements: &Statements,
    columns: &Columns,
) -> Result<HashSet<String>, StoreError> {
    let names = &connections.primary.settings.names;
    let (space, announcement) = (names.lock_space(), Announcement::new(names, &columns.ids));
    let locks: [Parameter<'_>; 2] = [(&columns.locks, Type::INT4_ARRAY), (&space, Type::INT4)];
    let old: [Parameter<'_>; 1] = [(&columns.names, Type::TEXT_ARRAY)];
    let changed = [&columns.changed.parameters()[..], &locks].concat();
    let new = [&columns.new.parameters()[..], &old].concat();
    let words = announcement.parameters();
    let steps = Pipeline::begin()
        .then(&statements.retire, &changed)
        .then(&statements.insert_successors, &new)
        .then(ANNOUNCE, &words);
    let mut lease = connections.writes.lease().await?;
    match lease.run(steps.commit()).await {
        Ok(answers) => Ok(rows::names(answers.first())),
        // Nothing was written. Each is tried by itself.
        Err(error) if is_taken(&error) => Ok(HashSet::new()),
        Err(error) => Err(refused(&error)),
    }
}
