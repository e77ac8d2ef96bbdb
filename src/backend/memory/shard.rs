use std::collections::{HashMap, VecDeque};

use super::agenda::Agenda;
use super::user::User;
use crate::backend::ledger::{Changes, Ledger, line_of};
use crate::backend::stored::Stored;
use crate::identity::Identity;
use crate::session::{Record, Touch};
use crate::store::{Insert, Inserted, Loaded, PutSessionKey, Revoke, Rotate, Rotated, Target};
use crate::time::Timestamp;
use crate::token::{SessionId, SpreadIds};

/// How many shards a store has. Sessions of one user share one, because they share a bucket.
pub(super) const SHARDS: usize = 64;
/// Revoked sessions whose reason is remembered; more than that, and the oldest is forgotten.
const REMEMBERED: usize = 100_000 / SHARDS;

/// The sessions of the users whose bucket falls here.
#[derive(Default)]
pub(super) struct Shard {
    pub(super) sessions: HashMap<SessionId, Stored, SpreadIds>,
    pub(super) users: HashMap<Identity, User>,
    revoked: VecDeque<SessionId>,
    pub(super) agenda: Agenda<Due>,
}

pub(super) enum Due {
    Session(SessionId),
    Keys(Identity),
}

impl Shard {
    pub(super) fn records(&self) -> usize {
        self.sessions.len()
    }

    /// Also returns the sessions of which nodes may hold an older record now; so do those below.
    pub(super) fn insert(&mut self, insert: Insert, now: Timestamp) -> (Inserted, Vec<SessionId>) {
        if insert.concerns_no_other() {
            return (self.add(insert.id, insert.record), Vec::new());
        }
        let others = self.sessions_of(&insert.record.identity);
        let mut ledger = self.ledger(others.chain([insert.id]), now);
        let inserted = ledger.insert(insert);
        (inserted, self.apply(ledger.changes()))
    }

    /// What most logins are: no cap, and no session to retire.
    fn add(&mut self, id: SessionId, record: Record) -> Inserted {
        if self.sessions.contains_key(&id) {
            return Inserted::Taken;
        }
        self.enter(id, &record);
        self.sessions.insert(id, Stored::Kept(record));
        Inserted::Kept(Vec::new())
    }

    pub(super) fn load(&self, id: SessionId, now: Timestamp) -> Loaded {
        let stored = self.sessions.get(&id).cloned();
        stored.map_or(Loaded::NeverSeen, |stored| stored.loaded(now))
    }

    pub(super) fn touch(&mut self, touch: &Touch, now: Timestamp) -> Option<Timestamp> {
        match self.sessions.get_mut(&touch.id) {
            Some(Stored::Kept(record)) => record.touch(touch, now),
            _ => None,
        }
    }

    pub(super) fn rotate(&mut self, rotate: Rotate, now: Timestamp) -> (Rotated, Vec<SessionId>) {
        let mut ids = self.line(rotate.old);
        ids.push(rotate.new);
        let mut ledger = self.ledger(ids, now);
        let rotated = ledger.rotate(rotate);
        (rotated, self.apply(ledger.changes()))
    }

    pub(super) fn revoke(
        &mut self,
        revoke: &Revoke,
        now: Timestamp,
    ) -> (Vec<SessionId>, Vec<SessionId>) {
        let ids = match &revoke.target {
            Target::Session(id) => self.line(*id),
            Target::User(user) | Target::Others { user, .. } => self.sessions_of(user).collect(),
        };
        let mut ledger = self.ledger(ids, now);
        let revoked = ledger.revoke(revoke);
        (revoked, self.apply(ledger.changes()))
    }

    pub(super) fn list(&self, user: &Identity, now: Timestamp) -> Vec<(SessionId, Record)> {
        self.ledger(self.sessions_of(user), now).list()
    }

    pub(super) fn put_session_key(&mut self, put: PutSessionKey, now: Timestamp) {
        let of = put.user.clone();
        let user = self.users.entry(of.clone()).or_default();
        user.keys.put(put, now);
        self.schedule_keys(&of);
    }

    pub(super) fn session_keys(&self, of: &Identity, now: Timestamp) -> Vec<Vec<u8>> {
        let user = self.users.get(of);
        user.map_or_else(Vec::new, |user| user.keys.live(now))
    }

    fn ledger(&self, ids: impl IntoIterator<Item = SessionId>, now: Timestamp) -> Ledger {
        let kept = |id| Some((id, self.sessions.get(&id)?.clone()));
        Ledger::new(now, ids.into_iter().filter_map(kept))
    }

    /// Puts changes in; returns what is to be announced.
    fn apply(&mut self, changes: Changes) -> Vec<SessionId> {
        for (id, stored) in changes.written {
            let before = self.sessions.insert(id, stored.clone());
            match (before, stored) {
                (None, Stored::Kept(record)) => self.enter(id, &record),
                (Some(Stored::Kept(before)), Stored::Revoked { .. }) => self.leave(id, &before),
                // A record that only changes stays where it is.
                _ => {}
            }
        }
        changes.announced
    }

    fn enter(&mut self, id: SessionId, record: &Record) {
        self.agenda.add(record.kept_until(), Due::Session(id));
        let user = self.users.entry(record.identity.clone()).or_default();
        user.add(id, record);
    }

    fn leave(&mut self, id: SessionId, record: &Record) {
        self.forget_session_of(id, record);
        self.revoked.push_back(id);
        self.forget_oldest_revoked();
    }

    /// The user's sessions that were not revoked, oldest first.
    fn sessions_of(&self, of: &Identity) -> impl Iterator<Item = SessionId> {
        self.users.get(of).into_iter().flat_map(User::sessions)
    }

    fn line(&self, id: SessionId) -> Vec<SessionId> {
        line_of(id, |id| self.sessions.get(&id)?.record())
    }

    fn forget_oldest_revoked(&mut self) {
        if self.revoked.len() > REMEMBERED
            && let Some(oldest) = self.revoked.pop_front()
        {
            self.sessions.remove(&oldest);
        }
    }
}
