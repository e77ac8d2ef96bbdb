use std::collections::{HashMap, VecDeque};

use super::agenda::Agenda;
use super::user::User;
use crate::backend::stored::Stored;
use crate::identity::Identity;
use crate::session::{EndReason, Record, Touch};
use crate::store::{Insert, Inserted, Loaded, PutSessionKey, Retire, Revoke, RevokeReason, Target};
use crate::time::Timestamp;
use crate::token::SessionId;

/// How many shards a store has. Sessions of one user share one, because they share a bucket.
pub(super) const SHARDS: usize = 64;
/// Revoked sessions whose reason is remembered; more than that, and the oldest is forgotten.
const REMEMBERED: usize = 100_000 / SHARDS;

/// The sessions of the users whose bucket falls here.
#[derive(Default)]
pub(super) struct Shard {
    pub(super) sessions: HashMap<SessionId, Stored>,
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

    /// Also returns the sessions of which nodes may hold an older record now.
    pub(super) fn insert(&mut self, insert: Insert, now: Timestamp) -> (Inserted, Vec<SessionId>) {
        let Insert {
            id,
            record,
            cap,
            retire,
        } = insert;
        if self.sessions.contains_key(&id) {
            return (Inserted::Taken, Vec::new());
        }
        let retired = retire
            .filter(|retire| self.retire(*retire, id, &record.identity, now))
            .map(|retire| retire.id);
        let replaced = cap.map_or_else(Vec::new, |cap| {
            self.make_room(&record.identity, cap.saturating_sub(1), now)
        });
        self.keep(id, record);
        let changed = replaced.iter().copied().chain(retired).collect();
        (Inserted::Kept(replaced), changed)
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

    pub(super) fn revoke(&mut self, revoke: &Revoke, now: Timestamp) -> Vec<SessionId> {
        let mut revoked = Vec::new();
        for id in self.targets(&revoke.target) {
            self.revoke_one(id, revoke, now, &mut revoked);
        }
        revoked
    }

    /// Whether it is kept why a session was revoked: nodes know of it then.
    pub(super) fn was_revoked(&self, id: SessionId) -> bool {
        matches!(self.sessions.get(&id), Some(Stored::Revoked { .. }))
    }

    pub(super) fn list(&self, user: &Identity, now: Timestamp) -> Vec<(SessionId, Record)> {
        let current = self.current(user, now);
        current.map(|(id, record)| (id, record.clone())).collect()
    }

    pub(super) fn put_session_key(&mut self, put: PutSessionKey, now: Timestamp) {
        let of = put.user.clone();
        self.users.entry(of.clone()).or_default().put_key(put, now);
        self.schedule_keys(&of);
    }

    pub(super) fn session_keys(&self, of: &Identity, now: Timestamp) -> Vec<Vec<u8>> {
        let user = self.users.get(of);
        user.map_or_else(Vec::new, |user| user.keys(now))
    }

    pub(super) fn keep(&mut self, id: SessionId, record: Record) {
        self.agenda.add(record.kept_until(), Due::Session(id));
        let user = self.users.entry(record.identity.clone()).or_default();
        user.add(id, &record);
        self.sessions.insert(id, Stored::Kept(record));
    }

    /// The user's sessions that were not revoked, oldest first.
    fn sessions_of(&self, of: &Identity) -> impl Iterator<Item = SessionId> {
        self.users.get(of).into_iter().flat_map(User::sessions)
    }

    /// The user's live sessions that are not in their grace, oldest first.
    fn current(
        &self,
        user: &Identity,
        now: Timestamp,
    ) -> impl Iterator<Item = (SessionId, &Record)> {
        self.sessions_of(user)
            .filter_map(|id| Some((id, self.record(id)?)))
            .filter(move |(_, record)| record.ended(now).is_none() && !record.is_retired())
    }

    pub(super) fn record(&self, id: SessionId) -> Option<&Record> {
        self.sessions.get(&id)?.record()
    }

    pub(super) fn retire(
        &mut self,
        retire: Retire,
        successor: SessionId,
        user: &Identity,
        now: Timestamp,
    ) -> bool {
        if let Some(Stored::Kept(record)) = self.sessions.get_mut(&retire.id)
            && record.identity == *user
            && record.ended(now).is_none()
            && !record.is_retired()
        {
            record.retire(now.after(retire.grace), successor);
            return true;
        }
        false
    }

    /// Ends the oldest sessions of a user until no more than `room` are left.
    fn make_room(&mut self, user: &Identity, room: usize, now: Timestamp) -> Vec<SessionId> {
        let current: Vec<_> = self.current(user, now).map(|(id, _)| id).collect();
        let excess = current.len().saturating_sub(room);
        let oldest = current[..excess].to_vec();
        for id in &oldest {
            self.overwrite(*id, RevokeReason::Replaced.into(), now);
        }
        oldest
    }

    fn targets(&self, target: &Target) -> Vec<SessionId> {
        match target {
            Target::Session(id) => vec![*id],
            Target::User(user) => self.sessions_of(user).collect(),
            Target::Others { user, keep } => {
                let line = self.line_of(*keep);
                let others = self.sessions_of(user).filter(|id| !line.contains(id));
                others.collect()
            }
        }
    }

    /// A session and what took its place, as often as that happened. Records come from outside,
    /// and may go in a circle.
    fn line_of(&self, id: SessionId) -> Vec<SessionId> {
        let mut line = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next
            && !line.contains(&id)
        {
            line.push(id);
            next = self.record(id).and_then(|record| record.successor);
        }
        line
    }

    fn revoke_one(
        &mut self,
        id: SessionId,
        revoke: &Revoke,
        now: Timestamp,
        revoked: &mut Vec<SessionId>,
    ) {
        let mut next = Some(id);
        while let Some(id) = next
            && let Some(record) = self.record(id)
            && now < record.kept_until()
            && revoke.issued_by.is_none_or(|by| record.issued_at <= by)
        {
            // Only the whole line of one session is followed: the others of a user are targets
            // of their own, and the one that stays may be the successor of one that goes.
            next = record
                .successor
                .filter(|_| revoke.target.session().is_some());
            self.overwrite(id, revoke.reason.into(), now);
            revoked.push(id);
        }
    }

    /// Puts the reason in the place of the record.
    pub(super) fn overwrite(&mut self, id: SessionId, reason: EndReason, at: Timestamp) {
        if let Some(record) = self.record(id).cloned() {
            self.sessions
                .insert(id, Stored::revoked(&record, reason, at));
            self.forget_session_of(id, &record);
            self.revoked.push_back(id);
            self.forget_oldest_revoked();
        }
    }

    fn forget_oldest_revoked(&mut self) {
        if self.revoked.len() > REMEMBERED
            && let Some(oldest) = self.revoked.pop_front()
        {
            self.sessions.remove(&oldest);
        }
    }
}
