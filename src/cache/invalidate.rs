//! What invalidates entries: changes here and elsewhere, and the link that announces them.

use std::time::Duration;

use super::Cache;
use super::answer::Answer;
use super::tombstones::Acknowledged;
use super::waiters::Waiter;
use crate::session::{Gap, Record, Session, StoreState};
use crate::store::Revoke;
use crate::time::Uptime;
use crate::token::SessionId;

impl Cache {
    /// Refuses what a revocation targets from now on. Comes before the store is written to.
    pub(crate) fn revoking(&self, revoke: &Revoke) {
        // The tombstone first: whoever reads with the new number has to find it.
        self.tombstones.add(revoke);
        if let Some(id) = revoke.target.session() {
            self.changes.session_changed(id);
            self.waiters.wake(id);
        }
        if let Some(user) = revoke.target.user() {
            self.changes.user_changed(user.bucket());
            self.waiters.wake_bucket(user.bucket());
        }
    }

    /// The store has acknowledged a revocation, and ended these sessions. What was read before is
    /// kept no longer than `memory`.
    pub(crate) fn revoked(
        &self,
        revoke: &Revoke,
        ended: &[SessionId],
        now: Uptime,
        memory: Duration,
    ) {
        let acknowledged = Acknowledged {
            at: self.changes.advance(),
            until: now.after(memory),
        };
        self.tombstones
            .acknowledge(revoke, ended, acknowledged, now);
        self.changed(ended);
        self.changed(revoke.target.session().as_slice());
    }

    /// A revocation failed and will not be tried again.
    pub(crate) fn not_revoked(&self, revoke: &Revoke, now: Uptime) {
        self.tombstones.withdraw(revoke, now);
    }

    /// A session has taken the place of another one, as this node is the first to know.
    pub(crate) fn succeeded(&self, old: SessionId, new: SessionId) {
        // A repeated rotation ends what the first one has put there.
        let earlier = self.successor(old).filter(|earlier| *earlier != new);
        self.successors.insert(old, new);
        self.changed(&[old]);
        self.changed(earlier.as_slice());
    }

    /// The session that took the place of this one, as far as this node knows.
    pub(crate) fn successor(&self, id: SessionId) -> Option<SessionId> {
        let rotated_here = self.successors.get(&id);
        rotated_here.or_else(|| self.live.get(id)?.successor())
    }

    /// What the revocations on this node say of a session that the store called live in a read with
    /// the number `as_of`.
    pub(crate) fn shadow(&self, id: SessionId, record: &Record, as_of: u64) -> Option<Answer> {
        let shadow = self.tombstones.find(id, Some(record), as_of);
        shadow.map(Answer::from)
    }

    /// Whatever is known of these sessions, or is being read, is out of date.
    pub(crate) fn changed(&self, sessions: &[SessionId]) {
        for id in sessions {
            self.changes.session_changed(*id);
            self.live.remove(*id);
            self.waiters.wake(*id);
        }
    }

    /// Joins those who wait for something to happen to a session.
    pub(crate) fn wait_for(&self, id: SessionId) -> Waiter {
        self.waiters.join(id)
    }
}

/// The link that carries revocations.
impl Cache {
    /// How far the store stands behind what is known.
    #[inline]
    pub(crate) fn link(&self, now: Uptime) -> StoreState {
        self.link.state(now)
    }

    /// What is known of a session all the same that was read before a gap in what the link has
    /// announced; `None` if there is no gap.
    pub(crate) fn gap(&self, session: &Session, link: StoreState, now: Uptime) -> Option<Gap> {
        let as_of = session.as_of();
        let is_since = matches!(link, StoreState::Linked { since } if as_of >= since);
        (!is_since).then(|| self.link.gap(as_of, now))
    }

    /// From now on revocations reach this node.
    pub(crate) fn link_came_up(&self, now: Uptime, has_heartbeat: bool) {
        let since = self.changes.advance();
        self.link.came_up(since, now, has_heartbeat);
        self.waiters.relinked();
    }

    pub(crate) fn link_went_down(&self, now: Uptime) {
        self.link.went_down(now);
        self.waiters.relinked();
    }

    /// Notes a sign of life of the link; a heartbeat comes from all that it consists of, and was
    /// `answered` some time before.
    pub(crate) fn link_is_alive(&self, now: Uptime, answered: Option<Uptime>) {
        let since = || self.changes.advance();
        let was_silent = self.link.alive(since, now, answered);
        if was_silent {
            self.waiters.relinked();
        }
    }
}
