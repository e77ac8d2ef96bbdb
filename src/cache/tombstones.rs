use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::identity::Identity;
use crate::session::{EndReason, Record};
use crate::store::{Revoke, Target};
use crate::time::Uptime;
use crate::token::SessionId;

/// Revocations that this node knows of and that an answer of the store may not reflect.
///
/// One is raised before the store is written to. Once the store has acknowledged, it concerns the
/// answers to questions that were asked before that, and is kept for as long as one of them may
/// still be held somewhere.
#[derive(Default)]
pub(super) struct Tombstones(Mutex<Graveyard>);

#[derive(Default)]
struct Graveyard {
    sessions: HashMap<SessionId, Tombstone>,
    /// Revocations of more than one session.
    users: HashMap<Identity, Vec<UserTombstone>>,
    settled: VecDeque<(Uptime, Target)>,
}

struct Tombstone {
    reason: EndReason,
    /// Revocations of this session that the store has not acknowledged.
    pending: usize,
    acknowledged: Option<Acknowledged>,
}

struct UserTombstone {
    revoke: Revoke,
    acknowledged: Option<Acknowledged>,
}

/// When the store has acknowledged a revocation.
#[derive(Clone, Copy)]
pub(super) struct Acknowledged {
    /// In the order of what happened on this node: questions with smaller numbers came before.
    pub(super) at: u64,
    /// How long the tombstone is kept.
    pub(super) until: Uptime,
}

/// What a tombstone says of a session.
pub(super) enum Buried {
    Ended(EndReason),
    /// The store alone knows whether it is meant.
    Perhaps,
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
                    acknowledged: None,
                });
            }
        }
    }

    /// The store has acknowledged, and said which sessions it `ended`.
    pub(super) fn settle(
        &self,
        revoke: &Revoke,
        ended: &[SessionId],
        acknowledged: Acknowledged,
        now: Uptime,
    ) {
        let mut graveyard = self.lock();
        let itself = match revoke.target {
            Target::Session(id) => Some(id),
            _ => None,
        };
        for id in ended.iter().copied().chain(itself) {
            graveyard.bury(id, revoke).acknowledged = Some(acknowledged);
            graveyard.settled.push_back((acknowledged.until, id.into()));
        }
        graveyard.settle_pending(revoke, acknowledged);
        graveyard.remove_settled(now);
    }

    /// Forgets what no answer that is still held somewhere can contradict any longer.
    pub(super) fn sweep(&self, now: Uptime) {
        self.lock().remove_settled(now);
    }

    /// The revocation failed and will not be tried again.
    pub(super) fn withdraw(&self, revoke: &Revoke, now: Uptime) {
        self.lock().remove_pending(revoke, now);
    }

    /// What the revocations say of a session, although the store called it live when it was
    /// `asked` about it.
    ///
    /// Without a record only revocations of this very session are found.
    pub(super) fn find(
        &self,
        id: SessionId,
        record: Option<&Record>,
        asked: u64,
    ) -> Option<Buried> {
        let graveyard = self.lock();
        let session = graveyard.sessions.get(&id);
        session
            .filter(|tombstone| tombstone.concerns(asked))
            .map(|tombstone| Buried::Ended(tombstone.reason))
            .or_else(|| graveyard.find_user(id, record?, asked))
    }

    fn lock(&self) -> MutexGuard<'_, Graveyard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Acknowledged {
    const fn comes_after(&self, asked: u64) -> bool {
        asked < self.at
    }
}

impl Tombstone {
    fn concerns(&self, asked: u64) -> bool {
        let acknowledged = self.acknowledged.as_ref();
        self.pending > 0 || acknowledged.is_some_and(|ack| ack.comes_after(asked))
    }

    fn is_over(&self, now: Uptime) -> bool {
        self.pending == 0 && self.acknowledged.is_none_or(|ack| ack.until <= now)
    }
}

impl UserTombstone {
    fn is_pending(&self, revoke: &Revoke) -> bool {
        self.acknowledged.is_none() && self.revoke == *revoke
    }

    fn is_over(&self, now: Uptime) -> bool {
        self.acknowledged.is_some_and(|ack| ack.until <= now)
    }

    fn says_of(&self, id: SessionId, record: &Record, asked: u64) -> Option<Buried> {
        let Revoke {
            target,
            reason,
            issued_by,
        } = &self.revoke;
        match (target, &self.acknowledged) {
            _ if issued_by.is_some_and(|by| by < record.issued_at) => None,
            (Target::Others { keep, .. }, _) if *keep == id => None,
            (_, Some(ack)) if !ack.comes_after(asked) => None,
            (Target::User(_), None) => Some(Buried::Ended((*reason).into())),
            // What the store ended is buried by name. This one may have been over before, be
            // newer, or be the successor of the one that stays.
            _ => Some(Buried::Perhaps),
        }
    }
}

impl Graveyard {
    fn bury(&mut self, id: SessionId, revoke: &Revoke) -> &mut Tombstone {
        self.sessions.entry(id).or_insert_with(|| Tombstone {
            reason: revoke.reason.into(),
            pending: 0,
            acknowledged: None,
        })
    }

    fn find_user(&self, id: SessionId, record: &Record, asked: u64) -> Option<Buried> {
        let mut of_user = self.users.get(&record.identity)?.iter();
        of_user.find_map(|tombstone| tombstone.says_of(id, record, asked))
    }

    fn settle_pending(&mut self, revoke: &Revoke, acknowledged: Acknowledged) {
        if let Target::Session(id) = &revoke.target
            && let Some(tombstone) = self.sessions.get_mut(id)
        {
            tombstone.pending = tombstone.pending.saturating_sub(1);
        }
        if let Some(tombstone) = self.pending_of_user(revoke) {
            tombstone.acknowledged = Some(acknowledged);
            self.settled
                .push_back((acknowledged.until, revoke.target.clone()));
        }
    }

    fn pending_of_user(&mut self, revoke: &Revoke) -> Option<&mut UserTombstone> {
        let of_user = self.users.get_mut(user_of(&revoke.target)?)?;
        of_user.iter_mut().find(|other| other.is_pending(revoke))
    }

    fn remove_pending(&mut self, revoke: &Revoke, now: Uptime) {
        let nothing = Acknowledged { at: 0, until: now };
        self.settle_pending(revoke, nothing);
        self.remove_if_over(&revoke.target, now);
    }

    fn remove_settled(&mut self, now: Uptime) {
        while self.settled.front().is_some_and(|(until, _)| *until <= now)
            && let Some((_, target)) = self.settled.pop_front()
        {
            self.remove_if_over(&target, now);
        }
    }

    fn remove_if_over(&mut self, target: &Target, now: Uptime) {
        if let Target::Session(id) = target
            && let Entry::Occupied(tombstone) = self.sessions.entry(*id)
            && tombstone.get().is_over(now)
        {
            tombstone.remove();
        }
        if let Some(user) = user_of(target)
            && let Some(of_user) = self.users.get_mut(user)
        {
            of_user.retain(|tombstone| !tombstone.is_over(now));
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
