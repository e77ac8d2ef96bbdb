//! What an operation does to the sessions of a user, decided on a copy of them: a store locks, reads,
//! asks here, writes what has changed, and announces it.

use std::collections::HashMap;

use super::stored::Stored;
use crate::session::{EndReason, Record};
use crate::store::{Insert, Inserted, Loaded, Retire, Revoke, Rotate, Rotated, Target};
use crate::time::Timestamp;
use crate::token::SessionId;

/// The sessions that an operation concerns, as a store has read them while nobody else changes them.
///
/// Those are all of the user's that were not revoked, where the operation is about the user or a cap,
/// and each that it names, whatever it is by now.
pub(super) struct Ledger {
    now: Timestamp,
    kept: HashMap<SessionId, Stored>,
    /// Oldest first.
    order: Vec<SessionId>,
    written: Vec<SessionId>,
    announced: Vec<SessionId>,
}

/// What a store has to write and to announce, in one step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) written: Vec<(SessionId, Stored)>,
    /// The sessions of which nodes may hold an older record then.
    pub(super) announced: Vec<SessionId>,
}

impl Ledger {
    pub(super) fn new(
        now: Timestamp,
        sessions: impl IntoIterator<Item = (SessionId, Stored)>,
    ) -> Self {
        let kept: HashMap<_, _> = sessions.into_iter().collect();
        let mut order: Vec<_> = kept.keys().copied().collect();
        order.sort_unstable_by_key(|id| {
            let record = kept.get(id).and_then(Stored::record);
            (record.map(|record| record.issued_at), *id)
        });
        Self {
            now,
            kept,
            order,
            written: Vec::new(),
            announced: Vec::new(),
        }
    }

    pub(super) fn changes(mut self) -> Changes {
        let written = self.written.into_iter();
        let written = written.filter_map(|id| self.kept.remove_entry(&id));
        Changes {
            written: written.collect(),
            announced: self.announced,
        }
    }

    pub(super) fn insert(&mut self, insert: Insert) -> Inserted {
        let Insert {
            id,
            record,
            cap,
            retire,
        } = insert;
        if self.kept.contains_key(&id) {
            return Inserted::Taken;
        }
        let retired = retire
            .filter(|retire| self.retire(*retire, id, &record))
            .map(|retire| retire.id);
        let replaced = cap.map_or_else(Vec::new, |cap| self.make_room(cap.saturating_sub(1)));
        self.write(id, Stored::Kept(record));
        self.announced.extend(replaced.iter().copied());
        self.announced.extend(retired);
        Inserted::Kept(replaced)
    }

    pub(super) fn rotate(&mut self, rotate: Rotate) -> Rotated {
        if self.kept.contains_key(&rotate.new) {
            return Rotated::Taken;
        }
        let old = match self.load(rotate.old) {
            Loaded::Live(record) => record,
            Loaded::Ended { reason, .. } => return Rotated::Ended(reason),
            Loaded::NeverSeen => return Rotated::NeverSeen,
        };
        if !self.make_way(&rotate, &old) {
            return Rotated::Ended(EndReason::Replaced);
        }
        let record = old.rotated(self.now, rotate.data);
        self.write(rotate.new, Stored::Kept(record.clone()));
        Rotated::Done(record)
    }

    /// The sessions that this call has ended.
    pub(super) fn revoke(&mut self, revoke: &Revoke) -> Vec<SessionId> {
        let mut revoked = Vec::new();
        for id in self.targets(&revoke.target) {
            self.revoke_one(id, revoke, &mut revoked);
        }
        self.announced.extend(revoked.iter().copied());
        // Nodes may hold what is gone from here; of what was revoked they know.
        let gone = revoke.target.session();
        let gone = gone.filter(|id| !matches!(self.kept.get(id), Some(Stored::Revoked { .. })));
        self.announced.extend(gone);
        revoked
    }

    /// The live sessions that are not in their grace, oldest first.
    pub(super) fn list(&self) -> Vec<(SessionId, Record)> {
        let current = self.current();
        current.map(|(id, record)| (id, record.clone())).collect()
    }

    fn load(&self, id: SessionId) -> Loaded {
        let stored = self.kept.get(&id).cloned();
        stored.map_or(Loaded::NeverSeen, |stored| stored.loaded(self.now))
    }

    fn record(&self, id: SessionId) -> Option<&Record> {
        self.kept.get(&id)?.record()
    }

    fn current(&self) -> impl Iterator<Item = (SessionId, &Record)> {
        let ids = self.order.iter();
        ids.filter_map(|id| Some((*id, self.record(*id)?)))
            .filter(|(_, record)| record.ended(self.now).is_none() && !record.is_retired())
    }

    fn write(&mut self, id: SessionId, stored: Stored) {
        if self.kept.insert(id, stored).is_none() {
            self.order.push(id);
        }
        self.written.push(id);
    }

    /// Leaves a session its grace, if it is live, of the same user and not retired already.
    fn retire(&mut self, retire: Retire, successor: SessionId, new: &Record) -> bool {
        let Some(record) = self.record(retire.id) else {
            return false;
        };
        let is_current = record.ended(self.now).is_none() && !record.is_retired();
        if !is_current || record.identity != new.identity {
            return false;
        }
        let mut record = record.clone();
        record.retire(self.now.after(retire.grace), successor);
        self.write(retire.id, Stored::Kept(record));
        true
    }

    /// Ends the oldest sessions until no more than `room` are left.
    fn make_room(&mut self, room: usize) -> Vec<SessionId> {
        let current: Vec<_> = self.current().map(|(id, _)| id).collect();
        let excess = current.len().saturating_sub(room);
        let oldest = current[..excess].to_vec();
        for id in &oldest {
            self.overwrite(*id, EndReason::Replaced);
        }
        oldest
    }

    /// Retires the old session, or ends what an earlier rotation of it has made; `false` if that is
    /// in use.
    fn make_way(&mut self, rotate: &Rotate, old: &Record) -> bool {
        if !old.is_retired() {
            let retire = Retire::new(rotate.old, rotate.grace);
            self.retire(retire, rotate.new, old);
            self.announced.push(rotate.old);
            return true;
        }
        let Some(unused) = self.unused_successor(old) else {
            return false;
        };
        self.overwrite(unused, EndReason::Replaced);
        // The grace stays as it is.
        let mut old = old.clone();
        old.successor = Some(rotate.new);
        self.write(rotate.old, Stored::Kept(old));
        self.announced.extend([rotate.old, unused]);
        true
    }

    /// What a rotation has put in the place of this session and nobody has used. A login that took
    /// over is known by its own time of issue.
    fn unused_successor(&self, old: &Record) -> Option<SessionId> {
        let id = old.successor?;
        let new = self.record(id)?;
        let is_unused = new.last_used.is_none() && new.issued_at == old.issued_at;
        (is_unused && !new.is_retired() && new.ended(self.now).is_none()).then_some(id)
    }

    fn targets(&self, target: &Target) -> Vec<SessionId> {
        match target {
            Target::Session(id) => vec![*id],
            Target::User(_) => self.order.clone(),
            Target::Others { keep, .. } => {
                let line = line_of(*keep, |id| self.record(id));
                let others = self.order.iter().copied();
                others.filter(|id| !line.contains(id)).collect()
            }
        }
    }

    fn revoke_one(&mut self, id: SessionId, revoke: &Revoke, revoked: &mut Vec<SessionId>) {
        let mut next = Some(id);
        while let Some(id) = next
            && let Some(record) = self.record(id)
            && self.now < record.kept_until()
            && revoke.issued_by.is_none_or(|by| record.issued_at <= by)
        {
            // Only the whole line of one session is followed: the others of a user are targets
            // of their own, and the one that stays may be the successor of one that goes.
            next = record
                .successor
                .filter(|_| revoke.target.session().is_some());
            self.overwrite(id, revoke.reason.into());
            revoked.push(id);
        }
    }

    /// Puts the reason in the place of the record.
    fn overwrite(&mut self, id: SessionId, reason: EndReason) {
        if let Some(record) = self.record(id) {
            let revoked = Stored::revoked(record, reason, self.now);
            self.write(id, revoked);
        }
    }
}

/// A session and what took its place, as often as that happened. Records come from outside, and may
/// go in a circle.
pub(super) fn line_of<'a>(
    id: SessionId,
    record: impl Fn(SessionId) -> Option<&'a Record>,
) -> Vec<SessionId> {
    let mut line = Vec::new();
    let mut next = Some(id);
    while let Some(id) = next
        && !line.contains(&id)
    {
        line.push(id);
        next = record(id).and_then(|record| record.successor);
    }
    line
}
