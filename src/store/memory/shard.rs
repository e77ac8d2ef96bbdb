use std::collections::{HashMap, VecDeque};

use super::agenda::Agenda;
use super::{
    Insert, Inserted, Loaded, PutSessionKey, Record, Revoke, Rotate, Rotated, SHARDS, Target,
    Timestamp, Touch,
};
use crate::session::EndReason;
use crate::store::{Retire, RevokeReason};
use crate::{Identity, SessionId};

/// Expired things that one operation collects at most, so that none pauses for long.
const COLLECTED_AT_ONCE: usize = 8;
/// Revoked sessions whose reason is remembered; more than that, and the oldest is forgotten.
const REMEMBERED: usize = 100_000 / SHARDS;

/// The sessions of the users whose bucket falls here.
#[derive(Default)]
pub(super) struct Shard {
    sessions: HashMap<SessionId, Slot>,
    users: HashMap<Identity, User>,
    revoked: VecDeque<SessionId>,
    agenda: Agenda<Due>,
}

enum Slot {
    /// A session that was not revoked; whether it has expired is up to the record.
    Kept(Record),
    Revoked {
        reason: EndReason,
        until: Timestamp,
    },
}

#[derive(Default)]
struct User {
    /// The sessions that were not revoked, in the order they came in.
    sessions: Vec<SessionId>,
    /// Newest first, each with the end of its keeping.
    keys: Vec<(Vec<u8>, Timestamp)>,
}

enum Due {
    Session(SessionId),
    Keys(Identity),
}

impl Shard {
    pub(super) fn insert(&mut self, insert: Insert, now: Timestamp) -> Inserted {
        let Insert {
            id,
            record,
            cap,
            retire,
        } = insert;
        if self.sessions.contains_key(&id) {
            return Inserted::Taken;
        }
        if let Some(retire) = retire {
            self.retire(retire, id, &record.identity, now);
        }
        let replaced = cap.map_or_else(Vec::new, |cap| {
            self.make_room(&record.identity, cap.saturating_sub(1), now)
        });
        self.keep(id, record);
        Inserted::Kept(replaced)
    }

    pub(super) fn load(&self, id: SessionId, now: Timestamp) -> Loaded {
        match self.sessions.get(&id) {
            None => Loaded::NeverSeen,
            Some(Slot::Revoked { reason, .. }) => Loaded::Ended(*reason),
            Some(Slot::Kept(record)) => match record.ended(now) {
                Some(_) if now >= record.kept_until() => Loaded::NeverSeen,
                Some(reason) => Loaded::Ended(reason),
                None => Loaded::Live(record.clone()),
            },
        }
    }

    pub(super) fn touch(&mut self, touch: &Touch) -> bool {
        match self.sessions.get_mut(&touch.id) {
            Some(Slot::Kept(record)) => record.touch(touch),
            _ => false,
        }
    }

    pub(super) fn rotate(&mut self, rotate: Rotate, now: Timestamp) -> Rotated {
        if self.sessions.contains_key(&rotate.new) {
            return Rotated::Taken;
        }
        let old = match self.load(rotate.old, now) {
            Loaded::Live(record) if record.is_retired() => {
                return Rotated::Ended(EndReason::Replaced);
            }
            Loaded::Live(record) => record,
            Loaded::Ended(reason) => return Rotated::Ended(reason),
            Loaded::NeverSeen => return Rotated::NeverSeen,
        };
        let retire = Retire::new(rotate.old, rotate.grace);
        self.retire(retire, rotate.new, &old.identity, now);
        let record = old.rotated(now, rotate.data);
        self.keep(rotate.new, record.clone());
        Rotated::Done(record)
    }

    pub(super) fn revoke(&mut self, revoke: &Revoke) -> Vec<SessionId> {
        let mut revoked = Vec::new();
        for id in self.targets(&revoke.target) {
            self.revoke_one(id, revoke, &mut revoked);
        }
        revoked
    }

    pub(super) fn list(&self, user: &Identity, now: Timestamp) -> Vec<(SessionId, Record)> {
        let mut live: Vec<_> = self
            .current(user, now)
            .map(|(id, record)| (id, record.clone()))
            .collect();
        live.sort_by_key(|(_, record)| record.issued_at);
        live
    }

    pub(super) fn put_session_key(&mut self, put: PutSessionKey, now: Timestamp) {
        let until = now.after(put.keep);
        self.agenda.add(until, Due::Keys(put.user.clone()));
        let keys = &mut self.users.entry(put.user).or_default().keys;
        match keys.first_mut() {
            Some(newest) if newest.0 == put.key => newest.1 = until,
            _ => {
                if let Some(previous) = keys.first_mut() {
                    previous.1 = previous.1.min(now.after(put.keep_previous));
                }
                keys.insert(0, (put.key, until));
                keys.truncate(2);
            }
        }
    }

    pub(super) fn session_keys(&self, user: &Identity, now: Timestamp) -> Vec<Vec<u8>> {
        let keys = self.users.get(user).map(|user| user.keys.iter());
        keys.into_iter()
            .flatten()
            .filter(|(_, until)| now < *until)
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Drops a few things that nobody can ask for any more.
    pub(super) fn collect(&mut self, now: Timestamp) {
        for _ in 0..COLLECTED_AT_ONCE {
            match self.agenda.next(now) {
                None => return,
                Some(Due::Session(id)) => self.collect_session(id, now),
                Some(Due::Keys(user)) => self.collect_keys(&user, now),
            }
        }
    }

    fn keep(&mut self, id: SessionId, record: Record) {
        self.agenda.add(record.kept_until(), Due::Session(id));
        let user = self.users.entry(record.identity.clone()).or_default();
        user.sessions.push(id);
        self.sessions.insert(id, Slot::Kept(record));
    }

    /// The user's live sessions that are not in their grace.
    fn current(
        &self,
        user: &Identity,
        now: Timestamp,
    ) -> impl Iterator<Item = (SessionId, &Record)> {
        let ids = self.users.get(user).map(|user| user.sessions.iter());
        ids.into_iter()
            .flatten()
            .filter_map(move |id| match self.sessions.get(id)? {
                Slot::Kept(record) => Some((*id, record)),
                Slot::Revoked { .. } => None,
            })
            .filter(move |(_, record)| record.ended(now).is_none() && !record.is_retired())
    }

    fn retire(&mut self, retire: Retire, successor: SessionId, user: &Identity, now: Timestamp) {
        if let Some(Slot::Kept(record)) = self.sessions.get_mut(&retire.id)
            && record.identity == *user
            && record.ended(now).is_none()
            && !record.is_retired()
        {
            record.retire(now.after(retire.grace), successor);
        }
    }

    /// Ends the oldest sessions of a user until no more than `room` are left.
    fn make_room(&mut self, user: &Identity, room: usize, now: Timestamp) -> Vec<SessionId> {
        let current = self.list(user, now);
        let excess = current.len().saturating_sub(room);
        let oldest: Vec<_> = current.into_iter().take(excess).map(|(id, _)| id).collect();
        for id in &oldest {
            self.overwrite(*id, RevokeReason::Replaced.into());
        }
        oldest
    }

    fn targets(&self, target: &Target) -> Vec<SessionId> {
        let of = |user| self.users.get(user).map_or(&[][..], |user| &user.sessions);
        match target {
            Target::Session(id) => vec![*id],
            Target::User(user) => of(user).to_vec(),
            Target::Others { user, keep } => {
                let successor = match self.sessions.get(keep) {
                    Some(Slot::Kept(record)) => record.successor,
                    _ => None,
                };
                let stays = |id: &&SessionId| *id != keep && Some(**id) != successor;
                of(user).iter().filter(stays).copied().collect()
            }
        }
    }

    fn revoke_one(&mut self, id: SessionId, revoke: &Revoke, revoked: &mut Vec<SessionId>) {
        let mut next = Some(id);
        while let Some(id) = next
            && let Some(Slot::Kept(record)) = self.sessions.get(&id)
            && revoke.issued_by.is_none_or(|by| record.issued_at <= by)
        {
            // Only the whole line of one session is followed: the others of a user are targets
            // of their own, and the one that stays may be the successor of one that goes.
            next = record
                .successor
                .filter(|_| matches!(revoke.target, Target::Session(_)));
            self.overwrite(id, revoke.reason.into());
            revoked.push(id);
        }
    }

    /// Puts the reason in the place of the record.
    fn overwrite(&mut self, id: SessionId, reason: EndReason) {
        let Some(slot) = self.sessions.get_mut(&id) else {
            return;
        };
        if let Slot::Kept(record) = slot {
            let until = record.absolute_end;
            let user = record.identity.clone();
            *slot = Slot::Revoked { reason, until };
            self.forget_session_of(&user, id);
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

    fn collect_session(&mut self, id: SessionId, now: Timestamp) {
        let (until, user) = match self.sessions.get(&id) {
            None => return,
            Some(Slot::Revoked { until, .. }) => (*until, None),
            Some(Slot::Kept(record)) => (record.kept_until(), Some(record.identity.clone())),
        };
        if now < until {
            self.agenda.add(until, Due::Session(id));
            return;
        }
        self.sessions.remove(&id);
        if let Some(user) = user {
            self.forget_session_of(&user, id);
        }
    }

    fn collect_keys(&mut self, user: &Identity, now: Timestamp) {
        if let Some(kept) = self.users.get_mut(user) {
            kept.keys.retain(|(_, until)| now < *until);
            self.forget_empty(user);
        }
    }

    fn forget_session_of(&mut self, user: &Identity, id: SessionId) {
        if let Some(kept) = self.users.get_mut(user) {
            kept.sessions.retain(|other| *other != id);
            self.forget_empty(user);
        }
    }

    fn forget_empty(&mut self, user: &Identity) {
        let is_empty = |user: &User| user.sessions.is_empty() && user.keys.is_empty();
        if self.users.get(user).is_some_and(is_empty) {
            self.users.remove(user);
        }
    }
}
