//! What operations do to the file, within one transaction.

use std::time::Duration;

use redb::{Database, ReadableTable, WriteTransaction};

use super::checked;
use super::fault::Fault;
use super::tables::{self, Tables, User, due_key, users_key};
use crate::backend::kept_keys::KeptKeys;
use crate::backend::ledger::{Changes, Ledger};
use crate::backend::stored::Stored;
use crate::backend::wire::tag_key;
use crate::backend::wire::user::user_name_bytes;
use crate::session::{Record, Touch};
use crate::store::{Insert, Inserted, PutSessionKey, Revoke, Rotate, Rotated, StoreError, Target};
use crate::time::{Clock, Timestamp};
use crate::token::{SessionId, TagKey};

/// For how long the reason of a damaged session is kept: the longest that one lasts by default.
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Names in the table `meta`.
pub(super) const FORMAT: &str = "format";
pub(super) const TIME: &str = "time";
const TAG_KEYS: &str = "tag_keys";

/// A transaction that operations are made in, one after the other.
pub(super) struct Transaction<'t> {
    pub(super) tables: Tables<'t>,
    clock: &'t Clock,
    /// The sessions of which nodes may hold an older record once it is committed.
    announced: Vec<SessionId>,
    /// Whether there is anything to commit.
    pub(super) is_dirty: bool,
    /// The latest time that this will tell.
    told: Timestamp,
}

/// Has `operate` make operations in a transaction, and commits it. `announced` gets the sessions to
/// announce before the commit begins: one that fails may have been done all the same.
pub(super) fn transact(
    database: &Database,
    clock: &Clock,
    announced: &mut Vec<SessionId>,
    operate: impl FnOnce(&mut Transaction<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let writing = database.begin_write()?;
    let mut transaction = Transaction::open(&writing, clock)?;
    operate(&mut transaction)?;
    let is_dirty = transaction.finish(announced)?;
    if is_dirty {
        writing.commit()?;
    } else {
        writing.abort()?;
    }
    Ok(())
}

impl<'t> Transaction<'t> {
    fn open(writing: &'t WriteTransaction, clock: &'t Clock) -> Result<Self, Fault> {
        Ok(Self {
            tables: Tables::open(writing)?,
            clock,
            announced: Vec::new(),
            is_dirty: false,
            told: Timestamp::default(),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Keeps the time, which must not go back when the file is opened again. Mostly a session has told it.
    fn finish(mut self, announced: &mut Vec<SessionId>) -> Result<bool, Fault> {
        let now = self.now();
        if self.is_dirty && self.told < now {
            self.put_meta(TIME, &now.as_millis().to_be_bytes())?;
        }
        announced.append(&mut self.announced);
        Ok(self.is_dirty)
    }

    pub(super) fn insert(&mut self, insert: Insert) -> Result<Inserted, Fault> {
        // Also by what is damaged.
        if self.tables.sessions.get(insert.id.as_bytes())?.is_some() {
            return Ok(Inserted::Taken);
        }
        let is_about_others = insert.cap.is_some() || insert.retire.is_some();
        let others = match is_about_others {
            true => tables::sessions_of(&self.tables.users, &insert.record.identity)?,
            false => Vec::new(),
        };
        let mut ledger = self.ledger(others)?;
        let inserted = ledger.insert(insert);
        self.apply(ledger.changes())?;
        Ok(inserted)
    }

    pub(super) fn touch(&mut self, touch: &Touch) -> Result<Option<Timestamp>, Fault> {
        let Some(Stored::Kept(mut record)) = tables::session(&self.tables.sessions, touch.id)?
        else {
            return Ok(None);
        };
        let before = (record.idle_deadline, record.last_used);
        let deadline = record.touch(touch, self.now());
        if before != (record.idle_deadline, record.last_used) {
            self.put_session(touch.id, &Stored::Kept(record))?;
        }
        Ok(deadline)
    }

    pub(super) fn rotate(&mut self, rotate: Rotate) -> Result<Rotated, Fault> {
        if self.tables.sessions.get(rotate.new.as_bytes())?.is_some() {
            return Ok(Rotated::Taken);
        }
        let mut ledger = self.ledger_of_line(rotate.old)?;
        let rotated = ledger.rotate(rotate);
        self.apply(ledger.changes())?;
        Ok(rotated)
    }

    pub(super) fn revoke(&mut self, revoke: &Revoke) -> Result<Vec<SessionId>, Fault> {
        let ledger = match &revoke.target {
            Target::Session(id) => self.ledger_of_line(*id),
            Target::User(user) | Target::Others { user, .. } => {
                self.ledger(tables::sessions_of(&self.tables.users, user)?)
            }
        };
        let mut ledger = match (ledger, revoke.target.session()) {
            (Err(Fault::Record(_)), Some(id)) => return self.overwrite_damaged(id, revoke),
            (ledger, _) => ledger?,
        };
        let revoked = ledger.revoke(revoke);
        self.apply(ledger.changes())?;
        Ok(revoked)
    }

    pub(super) fn put_session_key(&mut self, put: PutSessionKey) -> Result<(), Fault> {
        let (user, now) = (user_name_bytes(&put.user), self.now());
        let kept = match tables::keys_of(&self.tables.session_keys, &user) {
            // What is damaged cannot be read again: the new one takes its place.
            Err(Fault::Record(_)) => None,
            kept => kept?,
        };
        let is_due = kept.is_some();
        let mut keys = kept.unwrap_or_default();
        keys.put(put, now);
        if !is_due {
            self.put_due(&due_key(keys.until(), &user))?;
        }
        self.put_keys(&user, &keys)
    }

    pub(super) fn tag_keys(&mut self, offer: TagKey) -> Result<Vec<TagKey>, Fault> {
        let kept = tables::meta(&self.tables.meta, TAG_KEYS)?.unwrap_or_default();
        let mut keys = decode_tag_keys(&kept)?;
        if offer.is_newer_than_all(&keys) {
            self.put_meta(TAG_KEYS, &[kept, tag_key::encode(&offer)].concat())?;
            keys.push(offer);
        }
        Ok(keys)
    }

    /// A write that changes nothing but the time.
    pub(super) fn try_writing(&mut self) {
        self.is_dirty = true;
    }

    /// These sessions, without those that are damaged or gone.
    fn ledger(&self, ids: Vec<SessionId>) -> Result<Ledger, Fault> {
        let mut sessions = Vec::with_capacity(ids.len());
        for id in ids {
            match tables::session(&self.tables.sessions, id) {
                Err(Fault::Record(_)) => {}
                kept => sessions.extend(kept?.map(|stored| (id, stored))),
            }
        }
        Ok(Ledger::new(self.now(), sessions))
    }

    /// A session and what took its place, as far as it is not damaged. That the first is damaged is an
    /// error.
    fn ledger_of_line(&self, id: SessionId) -> Result<Ledger, Fault> {
        let mut line: Vec<(SessionId, Stored)> = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next
            && line.iter().all(|(known, _)| *known != id)
        {
            let kept = match tables::session(&self.tables.sessions, id) {
                Err(Fault::Record(_)) if !line.is_empty() => None,
                kept => kept?,
            };
            next = kept
                .as_ref()
                .and_then(Stored::record)
                .and_then(|record| record.successor);
            line.extend(kept.map(|stored| (id, stored)));
        }
        Ok(Ledger::new(self.now(), line))
    }

    fn apply(&mut self, changes: Changes) -> Result<(), Fault> {
        for (id, stored) in changes.written {
            let before = tables::session(&self.tables.sessions, id)?;
            self.put_session(id, &stored)?;
            match (before, stored) {
                (None, Stored::Kept(record)) => self.enter(id, &record)?,
                (Some(Stored::Kept(before)), Stored::Revoked { .. }) => self.leave(id, &before)?,
                // A record that only changes stays where it is.
                _ => {}
            }
        }
        self.announced.extend(changes.announced);
        Ok(())
    }

    fn enter(&mut self, id: SessionId, record: &Record) -> Result<(), Fault> {
        let key = users_key(&record.identity, record.issued_at, id);
        self.tables.users.insert(&key, ())?;
        self.put_due(&due_key(record.kept_until(), id.as_bytes()))
    }

    pub(super) fn leave(&mut self, id: SessionId, record: &Record) -> Result<(), Fault> {
        let key = users_key(&record.identity, record.issued_at, id);
        self.tables.users.remove(&key)?;
        self.is_dirty = true;
        Ok(())
    }

    /// Puts the reason in the place of a record that cannot be read. What took its place is not known.
    fn overwrite_damaged(
        &mut self,
        id: SessionId,
        revoke: &Revoke,
    ) -> Result<Vec<SessionId>, Fault> {
        let now = self.now();
        let revoked = Stored::Revoked {
            reason: revoke.reason.into(),
            at: now,
            until: now.after(MONTH),
        };
        self.put_session(id, &revoked)?;
        self.announced.push(id);
        Ok(vec![id])
    }

    fn put_session(&mut self, id: SessionId, stored: &Stored) -> Result<(), Fault> {
        let now = self.now();
        let kept = tables::seal_session(id, now, stored);
        self.tables
            .sessions
            .insert(id.as_bytes(), kept.as_slice())?;
        (self.is_dirty, self.told) = (true, now);
        Ok(())
    }

    /// With it may go what has told the latest time.
    pub(super) fn remove_session(&mut self, id: SessionId) -> Result<(), Fault> {
        self.tables.sessions.remove(id.as_bytes())?;
        (self.is_dirty, self.told) = (true, Timestamp::default());
        Ok(())
    }

    pub(super) fn put_keys(&mut self, user: &User, keys: &KeptKeys) -> Result<(), Fault> {
        let kept = checked::seal(user, &keys.encode());
        self.tables.session_keys.insert(user, kept.as_slice())?;
        self.is_dirty = true;
        Ok(())
    }

    pub(super) fn put_due(&mut self, key: &[u8]) -> Result<(), Fault> {
        self.tables.due.insert(key, ())?;
        self.is_dirty = true;
        Ok(())
    }

    pub(super) fn put_meta(&mut self, name: &str, value: &[u8]) -> Result<(), Fault> {
        let kept = checked::seal(name.as_bytes(), value);
        self.tables.meta.insert(name, kept.as_slice())?;
        self.is_dirty = true;
        Ok(())
    }
}

fn decode_tag_keys(kept: &[u8]) -> Result<Vec<TagKey>, StoreError> {
    let keys = kept.chunks(tag_key::TAG_KEY_LEN).map(tag_key::decode);
    keys.collect::<Result<_, _>>()
        .map_err(StoreError::about_no_record)
}
