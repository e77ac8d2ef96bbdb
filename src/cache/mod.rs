//! The bounded cache in front of the store.
//!
//! It speeds up and never decides: whatever comes out of it is still judged by `decide`.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::recent::recent;
use crate::session::{Gap, Record, Session, Stamp, StoreState};
use crate::store::{Loaded, Revoke, StoreError, Target};
use crate::time::Uptime;
use crate::token::SessionId;

mod answer;
mod generations;
mod held;
mod link;
mod sequence;
mod table;
mod tombstones;
mod waiters;

pub(crate) use self::answer::{Answer, Gone};
use self::generations::Generations;
use self::held::Held;
use self::link::Link;
use self::sequence::Sequence;
use self::tombstones::{Acknowledged, Tombstones};
pub(crate) use self::waiters::Waiter;
use self::waiters::Waiters;

/// Tokens remembered as not live, oldest out: few, because they are worth little.
const GONE_CAPACITY: u64 = 10_000;
/// For how long; a store learns of a token that it did not know only by issuing it.
const GONE_MEMORY: Duration = Duration::from_secs(5);

/// Rotations remembered, oldest out, and for how long: more than the grace of usual settings.
const SUCCESSORS: u64 = 10_000;
const SUCCESSOR_MEMORY: Duration = Duration::from_secs(10 * 60);

pub(crate) struct Cache {
    live: Held,
    gone: moka::sync::Cache<SessionId, (Gone, Uptime)>,
    /// What rotations on this node have put in the place of what.
    successors: moka::sync::Cache<SessionId, SessionId>,
    /// Caches nothing: every load ends as an error, which moka shares with all who wait for it.
    loads: moka::future::Cache<SessionId, Infallible>,
    generations: Generations,
    tombstones: Tombstones,
    sequence: Sequence,
    link: Link,
    waiters: Arc<Waiters>,
}

impl Cache {
    /// Holds up to `capacity` sessions, and each for as long as an answer of the store is `useful_for`.
    pub(crate) fn new(capacity: u64, useful_for: Duration) -> Self {
        Self {
            live: Held::new(capacity, useful_for),
            gone: recent(GONE_CAPACITY, GONE_MEMORY),
            successors: recent(SUCCESSORS, SUCCESSOR_MEMORY),
            loads: moka::future::Cache::new(0),
            generations: Generations::new(capacity),
            tombstones: Tombstones::default(),
            sequence: Sequence::new(),
            link: Link::default(),
            waiters: Arc::new(Waiters::new()),
        }
    }

    /// What the hit table has of a session, unless something was revoked near it since.
    #[inline]
    pub(crate) fn hit(&self, id: SessionId) -> Option<Session> {
        self.unless_revoked(self.live.hit(id)?)
    }

    /// What is held of a session, unless something was revoked near it since.
    pub(crate) fn get(&self, id: SessionId) -> Option<Session> {
        self.unless_revoked(self.live.get(id)?)
    }

    #[inline]
    fn unless_revoked(&self, session: Session) -> Option<Session> {
        let generation = self.generations.of(session.id());
        session.is_of(generation).then_some(session)
    }

    /// What is known of a session while the store cannot tell, whatever was revoked near it.
    pub(crate) fn known(&self, id: SessionId) -> Option<Answer> {
        let session = self.live.of_record(id)?;
        let buried = self.buried(id, session.record(), session.asked());
        Some(buried.unwrap_or(Answer::Live(session)))
    }

    /// Why a token was found to stand for no live session a moment ago.
    pub(crate) fn gone(&self, id: SessionId, now: Uptime) -> Option<Gone> {
        let (gone, found_at) = self.gone.get(&id)?;
        (now.since(found_at) < GONE_MEMORY).then_some(gone)
    }

    /// Sessions held at the moment, to within what moka has not counted yet.
    pub(crate) fn len(&self) -> u64 {
        self.live.len()
    }

    /// Forgets what is over. Never on a request: it works off what moka has put off.
    pub(crate) fn forget_what_is_over(&self, now: Uptime) {
        self.live.sweep();
        self.gone.run_pending_tasks();
        self.successors.run_pending_tasks();
        self.tombstones.sweep(now);
    }

    /// A session is in use, and kept: its hits alone do not tell.
    pub(crate) fn is_in_use(&self, id: SessionId) {
        self.live.of_record(id);
    }

    /// Asks the store by `load`, once for all who ask about the same session at the same time.
    ///
    /// # Concurrent calls for the same session
    ///
    /// One of them runs its `load`; the others wait for its answer. If it is dropped, another one
    /// takes over with its own.
    ///
    /// Whoever comes to ask after the last one has got its answer takes what is `known` by then.
    pub(crate) async fn load<K, F, L, N>(
        &self,
        id: SessionId,
        known: K,
        mut load: L,
        now: N,
    ) -> Answer
    where
        K: Fn() -> Option<Answer>,
        L: FnMut() -> F,
        F: Future<Output = Result<Loaded, StoreError>>,
        N: Fn() -> Uptime,
    {
        loop {
            let flight = async {
                Err(match known() {
                    Some(answer) => answer,
                    None => self.ask(id, load(), now()).await,
                })
            };
            let answer = match self.loads.try_get_with(id, flight).await {
                Ok(never) => match never {},
                Err(answer) => Arc::unwrap_or_clone(answer),
            };
            match &answer {
                // The store may have been read before a revocation that is complete by now.
                Answer::Live(session) if !session.is_of(self.generations.of(id)) => {}
                _ => return answer,
            }
        }
    }

    /// Keeps a session as the store knew it when its stamp was taken.
    pub(crate) fn keep(&self, session: &Session) {
        let id = session.id();
        self.live.insert(session);
        // A revocation that came in between has not found it, but has moved the generation.
        if !session.is_of(self.generations.of(id)) {
            self.live.remove(id);
        }
    }

    /// The stamp for a question to the store that starts now.
    pub(crate) fn stamp(&self, id: SessionId, now: Uptime) -> Stamp {
        Stamp {
            confirmed_at: now,
            asked: self.sequence.now(),
            generation: self.generations.of(id),
        }
    }

    /// Refuses what a revocation targets from now on. Comes before the store is written to.
    pub(crate) fn revoking(&self, revoke: &Revoke) {
        self.tombstones.raise(revoke);
        match &revoke.target {
            Target::Session(id) => {
                self.generations.move_session(*id);
                self.waiters.wake(*id);
            }
            Target::User(user) | Target::Others { user, .. } => {
                self.generations.move_user(user.bucket());
                self.waiters.wake_bucket(user.bucket());
            }
        }
    }

    /// The store has acknowledged a revocation, and ended these sessions. Whatever was asked
    /// before is kept no longer than `memory`.
    pub(crate) fn revoked(
        &self,
        revoke: &Revoke,
        ended: &[SessionId],
        now: Uptime,
        memory: Duration,
    ) {
        let acknowledged = Acknowledged {
            at: self.sequence.advance(),
            until: now.after(memory),
        };
        self.tombstones.settle(revoke, ended, acknowledged, now);
        self.changed(ended);
        if let Target::Session(id) = revoke.target {
            self.changed(&[id]);
        }
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
        rotated_here.or_else(|| self.live.of_record(id)?.record().successor)
    }

    /// What the revocations on this node say of a session that the store called live when it was
    /// `asked`.
    pub(crate) fn buried(&self, id: SessionId, record: &Record, asked: u64) -> Option<Answer> {
        let buried = self.tombstones.find(id, Some(record), asked);
        buried.map(Answer::from)
    }

    /// How far the store stands behind what is held.
    #[inline]
    pub(crate) fn link(&self, now: Uptime) -> StoreState {
        self.link.state(now)
    }

    /// What is known of a session all the same that was asked about before a gap in what the link
    /// has told; `None` if there is no gap.
    pub(crate) fn gap(&self, session: &Session, link: StoreState, now: Uptime) -> Option<Gap> {
        let asked = session.asked();
        let is_since = matches!(link, StoreState::Linked { since } if asked >= since);
        (!is_since).then(|| self.link.gap(asked, now))
    }

    /// From now on revocations reach this node.
    pub(crate) fn link_came_up(&self, now: Uptime, has_heartbeat: bool) {
        self.link
            .came_up(self.sequence.advance(), now, has_heartbeat);
        self.waiters.relinked();
    }

    pub(crate) fn link_went_down(&self, now: Uptime) {
        self.link.went_down(now);
        self.waiters.relinked();
    }

    /// Notes a sign of life of the link; a heartbeat comes from all that it consists of, and was
    /// `answered` some time before.
    pub(crate) fn link_is_alive(&self, now: Uptime, answered: Option<Uptime>) {
        let since = || self.sequence.advance();
        let was_silent = self.link.alive(since, now, answered);
        if was_silent {
            self.waiters.relinked();
        }
    }

    /// Joins those who wait for something to happen to a session.
    pub(crate) fn wait_for(&self, id: SessionId) -> Waiter {
        self.waiters.join(id)
    }

    /// Whatever is held of these sessions, or is being loaded, is out of date.
    pub(crate) fn changed(&self, sessions: &[SessionId]) {
        for id in sessions {
            self.generations.move_session(*id);
            self.live.remove(*id);
            self.waiters.wake(*id);
        }
    }

    async fn ask(
        &self,
        id: SessionId,
        load: impl Future<Output = Result<Loaded, StoreError>>,
        now: Uptime,
    ) -> Answer {
        let stamp = self.stamp(id, now);
        if let Some(buried) = self.tombstones.find(id, None, stamp.asked) {
            return buried.into();
        }
        let loaded = load.await;
        if let Ok(Loaded::Live(record)) = &loaded
            && let Some(buried) = self.tombstones.find(id, Some(record), stamp.asked)
        {
            return buried.into();
        }
        self.fill(id, stamp, loaded)
    }

    /// Puts an answer of the store where it belongs. Errors belong nowhere.
    fn fill(&self, id: SessionId, stamp: Stamp, loaded: Result<Loaded, StoreError>) -> Answer {
        let gone = match loaded {
            Ok(Loaded::Live(record)) => {
                let session = Session::new(id, record, stamp);
                let session = match self.live.of_record(id) {
                    Some(earlier) => session.continuing(&earlier),
                    None => session,
                };
                self.keep(&session);
                return Answer::Live(session);
            }
            Ok(Loaded::Ended { reason, .. }) => Gone::Ended(reason),
            Ok(Loaded::NeverSeen) => Gone::NeverSeen,
            Err(error) => return Answer::Failed(error),
        };
        self.live.remove(id);
        self.gone.insert(id, (gone, stamp.confirmed_at));
        self.waiters.wake(id);
        Answer::Gone(gone)
    }
}
