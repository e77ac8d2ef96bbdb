use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::announcement::{ANNOUNCE, Announcement};
use super::columns::Time;
use super::connections::Connections;
use super::ends::{self, End};
use super::fault::{failed, is_taken, refused};
use super::firsts::Firsts;
use super::locked::{Concerned, Locked};
use super::pipeline::Pipeline;
use super::rotations::{self, Rotation};
use super::rows::{self, ChangedRows, Found, NewRows, names};
use super::statements::Statements;
use super::uses;
use crate::backend::batches::Batches;
use crate::backend::ledger::Ledger;
use crate::backend::stored::Stored;
use crate::backend::user_locks::UserLocks;
use crate::backend::wire::user::user_name;
use crate::identity::Identity;
use crate::session::{Record, Touch};
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::token::SessionId;

/// Until a row that somebody has just changed or locked is looked at again.
pub(super) const AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Reads and writes the tables. What that means for sessions is none of its matter.
pub(super) struct Database {
    pub(super) connections: Arc<Connections>,
    pub(super) statements: Statements,
    loads: Batches<SessionId, Found>,
    inserts: Batches<(SessionId, Record), bool>,
    uses: Batches<Touch, Option<Timestamp>>,
    ends: Batches<End, bool>,
    rotations: Batches<Rotation, bool>,
    changes: Batches<Change, bool>,
    pub(super) user_locks: UserLocks,
}

/// A change of one session, if it is still as it was found, and what to announce with it.
pub(super) struct Change {
    pub(super) written: (SessionId, Stored, i32),
    pub(super) announced: Vec<SessionId>,
}

impl Database {
    pub(super) fn new(connections: Connections) -> Self {
        Self {
            statements: Statements::new(&connections.primary.settings.names),
            connections: Arc::new(connections),
            loads: Batches::default(),
            // Two at once: one is made up while the log is synced for the other.
            uses: Batches::default(),
            // One at a time: the server syncs its log for one after the other, and commits what announces with
            // a lock that all its databases share.
            inserts: Batches::one_at_a_time(),
            ends: Batches::one_at_a_time(),
            rotations: Batches::one_at_a_time(),
            changes: Batches::one_at_a_time(),
            user_locks: UserLocks::default(),
        }
    }

    /// Reads a session, together with whoever reads others.
    pub(super) async fn load(self: &Arc<Self>, id: SessionId) -> Result<Found, StoreError> {
        let database = Arc::clone(self);
        let load = move |ids| Arc::clone(&database).load_all(ids);
        self.loads.ask(id, load).await
    }

    async fn load_all(self: Arc<Self>, ids: Vec<SessionId>) -> Result<Vec<Found>, StoreError> {
        let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let load = &self.statements.load;
        let of = [(&names as _, Type::TEXT_ARRAY)];
        let (now, rows) = self.connections.read(load, &of).await?;
        let versions: HashMap<_, _> = rows.iter().filter_map(|row| rows::read(row, 1)).collect();
        // Several may ask for the same one.
        let find = |id| Found {
            now,
            version: versions.get(id).cloned(),
        };
        Ok(ids.iter().map(find).collect())
    }

    /// Adds a session, together with whoever adds others; `false` if there is one of this name.
    pub(super) async fn insert(
        self: &Arc<Self>,
        id: SessionId,
        record: Record,
    ) -> Result<bool, StoreError> {
        let database = Arc::clone(self);
        let insert = move |new| Arc::clone(&database).insert_all(new);
        self.inserts.ask((id, record), insert).await
    }

    async fn insert_all(
        self: Arc<Self>,
        new: Vec<(SessionId, Record)>,
    ) -> Result<Vec<bool>, StoreError> {
        let mut rows = NewRows::default();
        for (id, record) in &new {
            rows.push(*id, record);
        }
        let parameters = rows.parameters();
        let insert = Pipeline::begin().then(&self.statements.insert_new, &parameters);
        let answers = self.connections.write(insert.commit(), failed).await?;
        let mut kept = names(answers.first());
        // Of two that have one name, one is kept.
        Ok(new
            .iter()
            .map(|(id, _)| kept.remove(&id.to_string()))
            .collect())
    }

    /// Writes a use of a session, together with whoever writes others; the new deadline, if it was written.
    pub(super) async fn touch(
        self: &Arc<Self>,
        touch: Touch,
    ) -> Result<Option<Timestamp>, StoreError> {
        let database = Arc::clone(self);
        let write = move |touches| {
            let database = Arc::clone(&database);
            async move { uses::write(&database.connections, &database.statements, touches).await }
        };
        self.uses.ask(touch, write).await
    }

    /// Ends a session that has no successor, together with whoever ends others; whether this has done it.
    pub(super) async fn end(self: &Arc<Self>, end: End) -> Result<bool, StoreError> {
        let database = Arc::clone(self);
        let write = move |ends| {
            let database = Arc::clone(&database);
            async move { ends::write(&database.connections, &database.statements, ends).await }
        };
        self.ends.ask(end, write).await
    }

    /// Writes a rotation, together with whoever writes others; whether it was written.
    pub(super) async fn rotate(self: &Arc<Self>, rotation: Rotation) -> Result<bool, StoreError> {
        let database = Arc::clone(self);
        let write = move |rotations| {
            let database = Arc::clone(&database);
            async move { rotations::write(&database.connections, &database.statements, rotations).await }
        };
        self.rotations.ask(rotation, write).await
    }

    /// Changes a session, together with whoever changes others; `false` if it is not as it was found,
    /// or somebody has it locked.
    pub(super) async fn change(self: &Arc<Self>, change: Change) -> Result<bool, StoreError> {
        let database = Arc::clone(self);
        let write = move |changes| Arc::clone(&database).change_all(changes);
        self.changes.ask(change, write).await
    }

    async fn change_all(self: Arc<Self>, changes: Vec<Change>) -> Result<Vec<bool>, StoreError> {
        // The second of two changes finds something else than it expects.
        let changes = Firsts::of(changes, |change| change.written.0);
        let mut rows = ChangedRows::default();
        for Change { written, .. } in changes.iter() {
            let (id, stored, revision) = written;
            rows.push(*id, stored, *revision);
        }
        let announced: Vec<_> = changes.iter().flat_map(|c| &c.announced).copied().collect();
        let changed = self.write_changes(&rows, &announced).await?;
        Ok(changes.answers(|change| changed.contains(&change.written.0.to_string())))
    }

    /// Writes rows that are as they were, and returns which those are.
    async fn write_changes(
        &self,
        rows: &ChangedRows,
        announced: &[SessionId],
    ) -> Result<HashSet<String>, StoreError> {
        let parameters = rows.parameters();
        let announcement = Announcement::new(&self.connections.primary.settings.names, announced);
        let words = announcement.parameters();
        let update = &self.statements.update_if_unchanged;
        let mut steps = Pipeline::begin().then(update, &parameters);
        if !announced.is_empty() {
            steps = steps.then(ANNOUNCE, &words);
        }
        let answers = self.connections.write(steps.commit(), refused).await?;
        Ok(names(answers.first()))
    }

    /// Keeps a session and takes it back within one transaction, which waits for the disk as any other.
    pub(super) async fn try_writing(&self, id: SessionId) -> Result<(), StoreError> {
        let mut rows = NewRows::default();
        let nobody = Identity::new("", "");
        rows.push(
            id,
            &Record::issued(
                nobody,
                Timestamp::default(),
                Duration::ZERO,
                Duration::ZERO,
                None,
            ),
        );
        let parameters = rows.parameters();
        let steps = Pipeline::begin()
            .command("SAVEPOINT trial")
            .then(&self.statements.insert, &parameters)
            .command("ROLLBACK TO trial");
        self.connections
            .write(steps.commit(), refused)
            .await
            .map(drop)
    }

    /// Has an operation decided on what it concerns, while nobody else changes that, and writes what
    /// comes of it.
    pub(super) async fn decide<T>(
        &self,
        concerned: Concerned<'_>,
        decide: impl Fn(&mut Ledger) -> T,
    ) -> Result<T, StoreError> {
        let _lock = self.user_locks.lock(concerned.bucket).await;
        loop {
            let locked = Locked::read(&self.connections, &self.statements, &concerned).await?;
            let mut ledger = locked.ledger();
            let answer = decide(&mut ledger);
            match locked.write(&self.statements, ledger.changes()).await {
                Ok(()) => return Ok(answer),
                // Somebody has added a session of this name without the lock: it is found now.
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    /// The sessions of a user that were not revoked.
    pub(super) async fn sessions_of(&self, user: &Identity) -> Result<Ledger, StoreError> {
        let user = user_name(user);
        let of = [(&user as _, Type::TEXT)];
        let (now, rows) = self.connections.read(&self.statements.list, &of).await?;
        let sessions = rows.iter().filter_map(|row| rows::read(row, 1));
        // A damaged record is the matter of its own session.
        let sessions = sessions.filter_map(|(id, version)| Some((id, version.stored.ok()?)));
        Ok(Ledger::new(now, sessions))
    }
}

/// The server's time is in the first column of each row.
pub(super) fn now(rows: &[Row]) -> Result<Timestamp, StoreError> {
    let now = rows.first().and_then(|row| row.try_get::<_, Time>(0).ok());
    now.map(|now| now.0)
        .ok_or_else(|| StoreError::unavailable("the server's answer lacks its time"))
}
