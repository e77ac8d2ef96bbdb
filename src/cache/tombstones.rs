use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::session::{EndReason, Record};
use crate::store::{Revoke, Target, Timestamp};
use crate::{Identity, SessionId};

/// Revocations that this node knows of and that an answer of the store may not reflect yet.
///
/// One is raised before the store is written to, and stays until every question that may have
/// overtaken the writing has been answered: one store deadline after the acknowledgement.
#[derive(Default)]
pub(super) struct Tombstones(Mutex<Graveyard>);

#[derive(Default)]
struct Graveyard {
    sessions: HashMap<SessionId, Tombstone>,
    /// Revocations of more than one session.
    users: HashMap<Identity, Vec<UserTombstone>>,
    settled: VecDeque<(Timestamp, Target)>,
}

struct UserTombstone {
    revoke: Revoke,
    /// `None` while the store has not acknowledged.
    until: Option<Timestamp>,
}

/// What a tombstone says of a session.
pub(super) enum Buried {
    Ended(EndReason),
    /// The store alone knows whether it is meant.
    Perhaps,
}

struct Tombstone {
    reason: EndReason,
    /// Revocations of this session that the store has not acknowledged.
    pending: usize,
    until: Timestamp,
}

impl Tombstones {
    pub(super) fn raise(&self, revoke: &Revoke) {
        let mut graveyard = self.lock();
        match &revoke.target {
            Target::Session(id) => graveyard.bury(*id, revoke).pending += 1,
            Target::User(user) | Target::Others { user, .. } => {
                let of_user = graveyard.users.entry(user.clone()).or_default();
                of_user.push(UserTombstone {
                    revoke: revoke.clone(),
                    until: None,
                });
            }
        }
    }

    /// The store has acknowledged, and said which sessions it `ended`.
    ///
    /// A first attempt at a user's sessions ended exactly these. A later one may have been
    /// overtaken by an earlier attempt that was thought to have failed, so it stays as it is.
    pub(super) fn settle(
        &self,
        revoke: &Revoke,
        ended: &[SessionId],
        now: Timestamp,
        until: Timestamp,
    ) {
        let mut graveyard = self.lock();
        let itself = match revoke.target {
            Target::Session(id) => Some(id),
            _ => None,
        };
        for id in ended.iter().copied().chain(itself) {
            let tombstone = graveyard.bury(id, revoke);
            tombstone.until = tombstone.until.max(until);
            graveyard.settled.push_back((until, id.into()));
        }
        if revoke.issued_by.is_some() && itself.is_none() {
            graveyard.keep_until(revoke, until);
        } else {
            graveyard.remove_pending(revoke, now);
        }
        graveyard.remove_settled(now);
    }

    /// The revocation failed and will not be tried again.
    pub(super) fn withdraw(&self, revoke: &Revoke, now: Timestamp) {
        self.lock().remove_pending(revoke, now);
    }

    /// What the revocations say of a session that the store may still call live.
    ///
    /// Without a record only revocations of this very session are found.
    pub(super) fn find(
        &self,
        id: SessionId,
        record: Option<&Record>,
        now: Timestamp,
    ) -> Option<Buried> {
        let graveyard = self.lock();
        let session = graveyard.sessions.get(&id);
        session
            .filter(|tombstone| tombstone.stands(now))
            .map(|tombstone| Buried::Ended(tombstone.reason))
            .or_else(|| graveyard.find_user(id, record?, now))
    }

    fn lock(&self) -> MutexGuard<'_, Graveyard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tombstone {
    fn stands(&self, now: Timestamp) -> bool {
        self.pending > 0 || now < self.until
    }
}

impl Graveyard {
    fn bury(&mut self, id: SessionId, revoke: &Revoke) -> &mut Tombstone {
        self.sessions.entry(id).or_insert_with(|| Tombstone {
            reason: revoke.reason.into(),
            pending: 0,
            until: Timestamp::default(),
        })
    }

    fn find_user(&self, id: SessionId, record: &Record, now: Timestamp) -> Option<Buried> {
        let of_user = self.users.get(&record.identity)?.iter();
        of_user
            .filter(|tombstone| tombstone.stands(now))
            .find_map(|tombstone| tombstone.says_of(id, record))
    }

    fn keep_until(&mut self, revoke: &Revoke, until: Timestamp) {
        if let Some(of_user) = user_of(&revoke.target).and_then(|user| self.users.get_mut(user))
            && let Some(tombstone) = of_user.iter_mut().find(|other| other.is_pending(revoke))
        {
            tombstone.until = Some(until);
            self.settled.push_back((until, revoke.target.clone()));
        }
    }

    fn remove_pending(&mut self, revoke: &Revoke, now: Timestamp) {
        if let Target::Session(id) = &revoke.target
            && let Some(tombstone) = self.sessions.get_mut(id)
        {
            tombstone.pending = tombstone.pending.saturating_sub(1);
        }
        if let Some(of_user) = user_of(&revoke.target).and_then(|user| self.users.get_mut(user))
            && let Some(index) = of_user.iter().position(|other| other.is_pending(revoke))
        {
            of_user.swap_remove(index);
        }
        self.remove_if_over(&revoke.target, now);
    }

    fn remove_settled(&mut self, now: Timestamp) {
        while self.settled.front().is_some_and(|(until, _)| *until <= now)
            && let Some((_, target)) = self.settled.pop_front()
        {
            self.remove_if_over(&target, now);
        }
    }

    fn remove_if_over(&mut self, target: &Target, now: Timestamp) {
        if let Target::Session(id) = target
            && let Entry::Occupied(tombstone) = self.sessions.entry(*id)
            && !tombstone.get().stands(now)
        {
            tombstone.remove();
        }
        if let Some(user) = user_of(target)
            && let Some(of_user) = self.users.get_mut(user)
        {
            of_user.retain(|tombstone| tombstone.stands(now));
            if of_user.is_empty() {
                self.users.remove(user);
            }
        }
    }
}

fn user_of(target: &Target) -> Option<&Identity> {
    match target {
        Target::Session(_) => None,
        Target::User(user) | Target::Others { user, .. } => Some(user),
    }
}

impl UserTombstone {
    fn is_pending(&self, revoke: &Revoke) -> bool {
        self.until.is_none() && self.revoke == *revoke
    }

    fn stands(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn says_of(&self, id: SessionId, record: &Record) -> Option<Buried> {
        let Revoke {
            target,
            reason,
            issued_by,
        } = &self.revoke;
        match target {
            _ if issued_by.is_some_and(|by| by < record.issued_at) => None,
            Target::Others { keep, .. } if *keep == id => None,
            // It may be the successor of the one that stays.
            Target::Others { .. } => Some(Buried::Perhaps),
            _ => Some(Buried::Ended((*reason).into())),
        }
    }
}
