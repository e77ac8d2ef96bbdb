use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::MutexGuard;

use crate::identity::Identity;
use crate::session::{EndReason, Record};
use crate::store::{Revoke, Target};
use crate::sync::Lock;
use crate::time::Uptime;
use crate::token::SessionId;

/// Revocations that this node knows of and that an answer of the store may not reflect.
///
/// One is added before the store is written to. It speaks against whatever was read before the store
/// has acknowledged, and is kept for as long as something of that may be on its way or in the cache.
#[derive(Default)]
pub(super) struct Tombstones(Lock<Registry>);

#[derive(Default)]
struct Registry {
    sessions: HashMap<SessionId, Tombstone>,
    /// Revocations of more than one session.
    users: HashMap<Identity, Vec<UserTombstone>>,
    acknowledged: VecDeque<(Uptime, Target)>,
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
    /// The number of the change: what was read before has a smaller one.
    pub(super) at: u64,
    /// How long the tombstone is kept.
    pub(super) until: Uptime,
}

/// What a tombstone says of a session that the store has called live.
pub(super) enum Shadow {
    Ended(EndReason),
    /// The store alone knows whether it is meant.
    Unsure,
}

impl Tombstones {
    pub(super) fn add(&self, revoke: &Revoke) {
        let mut registry = self.lock();
        if let Some(id) = revoke.target.session() {
            registry.of_session(id, revoke).pending += 1;
        }
        if let Some(user) = revoke.target.user() {
            let of_user = registry.users.entry(user.clone()).or_default();
            of_user.push(UserTombstone {
                revoke: revoke.clone(),
                acknowledged: None,
            });
        }
    }

    /// The store has acknowledged, and said which sessions it `ended`.
    pub(super) fn acknowledge(
        &self,
        revoke: &Revoke,
        ended: &[SessionId],
        acknowledged: Acknowledged,
        now: Uptime,
    ) {
        let mut registry = self.lock();
        for id in ended.iter().copied().chain(revoke.target.session()) {
            registry.of_session(id, revoke).acknowledged = Some(acknowledged);
            registry
                .acknowledged
                .push_back((acknowledged.until, id.into()));
        }
        registry.acknowledge_pending(revoke, acknowledged);
        registry.remove_over(now);
    }

    /// Forgets what no answer that is still about can contradict any longer.
    pub(super) fn sweep(&self, now: Uptime) {
        self.lock().remove_over(now);
    }

    /// The revocation failed and will not be tried again.
    pub(super) fn withdraw(&self, revoke: &Revoke, now: Uptime) {
        self.lock().remove_pending(revoke, now);
    }

    /// What the revocations say of a session, although the store called it live in a read with the
    /// number `as_of`.
    ///
    /// Without a record only revocations of this very session are found.
    pub(super) fn find(
        &self,
        id: SessionId,
        record: Option<&Record>,
        as_of: u64,
    ) -> Option<Shadow> {
        let registry = self.lock();
        let session = registry.sessions.get(&id);
        session
            .filter(|tombstone| tombstone.concerns(as_of))
            .map(|tombstone| Shadow::Ended(tombstone.reason))
            .or_else(|| registry.find_user(id, record?, as_of))
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock()
    }
}

impl Acknowledged {
    const fn comes_after(&self, as_of: u64) -> bool {
        as_of < self.at
    }
}

impl Tombstone {
    fn concerns(&self, as_of: u64) -> bool {
        let acknowledged = self.acknowledged.as_ref();
        self.pending > 0 || acknowledged.is_some_and(|ack| ack.comes_after(as_of))
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

    fn says_of(&self, id: SessionId, record: &Record, as_of: u64) -> Option<Shadow> {
        let Revoke {
            target,
            reason,
            issued_by,
        } = &self.revoke;
        match (target, &self.acknowledged) {
            _ if issued_by.is_some_and(|by| by < record.issued_at) => None,
            (Target::Others { keep, .. }, _) if *keep == id => None,
            (_, Some(ack)) if !ack.comes_after(as_of) => None,
            (Target::User(_), None) => Some(Shadow::Ended((*reason).into())),
            // What the store ended has a tombstone of its own. This one may have been over before, be
            // newer, or be the successor of the one that stays.
            _ => Some(Shadow::Unsure),
        }
    }
}

impl Registry {
    fn of_session(&mut self, id: SessionId, revoke: &Revoke) -> &mut Tombstone {
        self.sessions.entry(id).or_insert_with(|| Tombstone {
            reason: revoke.reason.into(),
            pending: 0,
            acknowledged: None,
        })
    }

    fn find_user(&self, id: SessionId, record: &Record, as_of: u64) -> Option<Shadow> {
        let mut of_user = self.users.get(&record.identity)?.iter();
        of_user.find_map(|tombstone| tombstone.says_of(id, record, as_of))
    }

    fn acknowledge_pending(&mut self, revoke: &Revoke, acknowledged: Acknowledged) {
        if let Target::Session(id) = &revoke.target
            && let Some(tombstone) = self.sessions.get_mut(id)
        {
            tombstone.pending = tombstone.pending.saturating_sub(1);
        }
        if let Some(tombstone) = self.pending_of_user(revoke) {
            tombstone.acknowledged = Some(acknowledged);
            self.acknowledged
                .push_back((acknowledged.until, revoke.target.clone()));
        }
    }

    fn pending_of_user(&mut self, revoke: &Revoke) -> Option<&mut UserTombstone> {
        let of_user = self.users.get_mut(revoke.target.user()?)?;
        of_user.iter_mut().find(|other| other.is_pending(revoke))
    }

    fn remove_pending(&mut self, revoke: &Revoke, now: Uptime) {
        let nothing = Acknowledged { at: 0, until: now };
        self.acknowledge_pending(revoke, nothing);
        self.remove_if_over(&revoke.target, now);
    }

    fn remove_over(&mut self, now: Uptime) {
        while self
            .acknowledged
            .front()
            .is_some_and(|(until, _)| *until <= now)
            && let Some((_, target)) = self.acknowledged.pop_front()
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
        if let Some(user) = target.user()
            && let Some(of_user) = self.users.get_mut(user)
        {
            of_user.retain(|tombstone| !tombstone.is_over(now));
            if of_user.is_empty() {
                self.users.remove(user);
            }
        }
    }
}
