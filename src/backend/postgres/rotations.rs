//! Rotations: those that come while others are under way are one transaction, and one wait for the database's only
//! queue of announcements.

use std::collections::HashSet;

use tokio_postgres::types::Type;

use super::announcement::{ANNOUNCE, Announcement};
use super::connection::Parameter;
use super::connections::Connections;
use super::fault::{is_taken, refused};
use super::locks::of_bucket;
use super::pipeline::Pipeline;
use super::rows::{ChangedRows, Found, NewRows, Version, names};
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

/// Whether each rotation was written. It was not if the session is not as it was found, if somebody has it or
/// its user locked, or if the new name is taken.
///
/// The locks of the users are had before anything is written, and until the end: whoever ends all sessions
/// of a user, or counts them, waits, and reads the new one behind that. They are not waited for, so that they may be
/// taken in any order.
pub(super) async fn write(
    connections: &Connections,
    statements: &Statements,
    rotations: Vec<Rotation>,
) -> Result<Vec<bool>, StoreError> {
    let (mut changed, mut new) = (ChangedRows::default(), NewRows::default());
    let (mut ids, mut locks) = (Vec::new(), Vec::new());
    let mut taken = HashSet::new();
    // The second of two finds something else than it expects.
    let is_first: Vec<_> = rotations
        .iter()
        .map(|one| taken.insert(one.old.0))
        .collect();
    let first = rotations
        .iter()
        .zip(&is_first)
        .filter(|(_, is_first)| **is_first);
    for (
        Rotation {
            old,
            new: successor,
        },
        _,
    ) in first
    {
        changed.push(old.0, &old.1, old.2);
        new.push(successor.0, &successor.1);
        ids.push(old.0);
        locks.push(of_bucket(old.0.bucket()));
    }
    let settings = &connections.primary.settings;
    let (space, announcement) = (
        settings.names.lock_space(),
        Announcement::new(&settings.names, &ids),
    );
    let old_names: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let locks: [Parameter<'_>; 2] = [(&locks, Type::INT4_ARRAY), (&space, Type::INT4)];
    let changed = [&changed.parameters()[..], &locks].concat();
    let new = [
        &new.parameters()[..],
        &[(&old_names as _, Type::TEXT_ARRAY)],
    ]
    .concat();
    let words = announcement.parameters();
    let steps = Pipeline::begin()
        .then(&statements.retire, &changed)
        .then(&statements.insert_successors, &new)
        .then(ANNOUNCE, &words);
    let mut lease = connections.writes.lease().await?;
    let retired = match lease.run(steps.commit()).await {
        Ok(answers) => names(answers.first()),
        // Nothing was written. Each is tried by itself.
        Err(error) if is_taken(&error) => HashSet::new(),
        Err(error) => return Err(refused(&error)),
    };
    let is_done = |(rotation, is_first): (&Rotation, bool)| {
        is_first && retired.contains(&rotation.old.0.to_string())
    };
    Ok(rotations.iter().zip(is_first).map(is_done).collect())
}
