use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::aside::Aside;
use super::background::Background;
use super::breaker::Breaker;
use super::builder::Config;
use super::keyring::Keyring;
use super::reassertion::Reassertions;
use super::strangers::Strangers;
use super::untold::Untold;
use super::writes::Writes;
use crate::cache::{Answer, Cache};
use crate::observe::meter::Meter;
use crate::session::{EndReason, Touch};
use crate::store::{Loaded, SessionStore, StoreError, StoreErrorKind, Watched};
use crate::time::{Clock, Timestamp};
use crate::token::SessionId;

/// Waits of a load, each of a deadline: its turn, the answer, a use to be told, the answer after it.
const LOAD_STEPS: u32 = 4;

/// One node of the fleet: the store, and what this process knows of the sessions in it.
pub(crate) struct Node<S> {
    pub(super) store: Watched<S>,
    /// One for each handle of the application, and this one.
    pub(super) handles: Arc<()>,
    pub(super) config: Config,
    pub(crate) clock: Clock,
    pub(super) cache: Cache,
    pub(super) keyring: Keyring,
    pub(super) strangers: Strangers,
    pub(super) background: Background,
    pub(super) breaker: Breaker,
    pub(super) reassertions: Reassertions,
    pub(super) untold: Untold,
    pub(super) writes: Writes,
    /// Set once the store's clock is known; nothing is decided before.
    pub(super) has_store_clock: OnceCell<()>,
    pub(super) meter: Meter,
}

impl<S: SessionStore> Node<S> {
    pub(super) fn new(store: S, config: Config, clock: Clock) -> Self {
        Self {
            cache: Cache::new(config.cache_capacity, config.freshness.useful_for()),
            background: Background::new(config.pending_revocations),
            breaker: Breaker::new(config.loads_in_flight.min(Semaphore::MAX_PERMITS)),
            reassertions: Reassertions::default(),
            untold: Untold::default(),
            writes: Writes::default(),
            keyring: Keyring::default(),
            strangers: Strangers::default(),
            has_store_clock: OnceCell::new(),
            meter: Meter::default(),
            store: Watched(store),
            handles: Arc::default(),
            config,
            clock,
        }
    }

    /// Asks the store about a bucket (`None`: about none) within the deadline; its failures open
    /// the breaker of the part that has the bucket.
    pub(super) async fn ask<T>(
        self: &Arc<Self>,
        bucket: impl Into<Option<[u8; 2]>>,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let place = self.place(bucket.into());
        self.unless_down(place)?;
        let answer = self.in_time(question).await;
        self.note_question(place, &answer);
        answer
    }

    /// Has the store do something within the deadline. A store that can be read only still serves
    /// checks, so this opens no breaker.
    pub(super) async fn tell<T>(
        self: &Arc<Self>,
        bucket: impl Into<Option<[u8; 2]>>,
        order: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let place = self.place(bucket.into());
        let answer = match self.unless_down(place) {
            Ok(()) => self.in_time(order).await,
            Err(down) => Err(down),
        };
        self.note_order(place, &answer);
        answer
    }

    /// The one deadline covers all waiting for the store: queueing, joining, asking. There is none
    /// while the part that has the bucket is known to be down.
    pub(super) async fn within_deadline<T>(
        self: &Arc<Self>,
        bucket: impl Into<Option<[u8; 2]>>,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.unless_down(self.place(bucket.into()))?;
        self.in_time(question).await
    }

    async fn in_time<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        within(self.config.store_deadline, question).await
    }

    /// Whether the store answers and can be written, so that a login does not spend a code for
    /// nothing.
    pub(crate) async fn store_answers(self: &Arc<Self>) -> Result<(), StoreError> {
        self.ask(None, self.store.now()).await?;
        self.ensure_logins().await
    }

    /// Learns the fleet's clock from the store, once.
    pub(crate) async fn learn_clock(self: &Arc<Self>) -> Result<(), StoreError> {
        let learn = async || {
            let store_now = self.ask(None, self.store.now()).await;
            let store_now = store_now.map_err(about_no_session)?;
            self.clock.follow(store_now);
            Ok(())
        };
        if self.has_store_clock.initialized() {
            return Ok(());
        }
        // Boxed, like all that is rare, so that no future is large for its sake.
        let learnt = Box::pin(self.has_store_clock.get_or_try_init(learn));
        learnt.await.copied()
    }

    /// Asks the store: a request that is gone takes no load along.
    pub(super) fn load_aside(self: &Arc<Self>, id: SessionId) -> Aside<Answer> {
        let node = Arc::clone(self);
        let work = async move { node.load(id).await };
        Aside::new(work, self.config.store_deadline.saturating_mul(LOAD_STEPS))
    }

    pub(super) async fn load(self: &Arc<Self>, id: SessionId) -> Answer {
        let load = async || {
            let turns = self.breaker.turns(self.store.part(id.bucket()));
            let _turn = match Arc::clone(&turns).try_acquire_owned() {
                Ok(turn) => turn,
                Err(_) => Box::pin(self.queue(id, turns)).await?,
            };
            // Boxed, because each of the layers around it would hold it twice.
            let loaded = self.ask(id.bucket(), Box::pin(self.store.load(id))).await?;
            let loaded = self.unless_foreign(loaded);
            match self.idle_since(&loaded) {
                Some(at) => Box::pin(self.unless_used_since(id, at, loaded)).await,
                None => Ok(loaded),
            }
        };
        let known = || self.known_without_asking(id);
        self.cache
            .load(id, known, load, || self.clock.uptime())
            .await
    }

    /// Whether sessions of this app are good here.
    pub(crate) fn serves(&self, appid: &str) -> bool {
        self.config.serves(appid)
    }

    /// Another app's sessions are never taken in, so that no hit has to look.
    fn unless_foreign(&self, loaded: Loaded) -> Loaded {
        match loaded {
            Loaded::Live(record) if !self.serves(record.identity.appid()) => Loaded::NeverSeen,
            loaded => loaded,
        }
    }

    /// Waits for its turn among those who load from the same part of the store.
    async fn queue(
        self: &Arc<Self>,
        id: SessionId,
        turns: Arc<Semaphore>,
    ) -> Result<OwnedSemaphorePermit, StoreError> {
        let turn = async { Ok(turns.acquire_owned().await) };
        self.within_deadline(id.bucket(), turn)
            .await?
            .map_err(|closed| StoreError::new(StoreErrorKind::Unavailable).caused_by(closed))
    }

    /// A session is not idle because the store was not told of a use: it is told, and asked again.
    async fn unless_used_since(
        self: &Arc<Self>,
        id: SessionId,
        idle_at: Timestamp,
        loaded: Loaded,
    ) -> Result<Loaded, StoreError> {
        let told = match self.untold.latest(id) {
            Some(touch) => self.tell_of_use(touch).await,
            // A record outlasts an idle session by hours: what is not there is asked about once.
            None if loaded == Loaded::NeverSeen => Ok(None),
            // Other nodes may be unable to tell of theirs, and nothing else would show it here.
            None => self.ensure_writable(id.bucket()).await.map(|()| None),
        };
        match told {
            Ok(Some(_)) => return self.ask(id.bucket(), self.store.load(id)).await,
            Ok(None) => {}
            Err(error) => {
                // The record is there, and is not that of a session that was revoked.
                let is_there = error.is_unwritten() || loaded != Loaded::NeverSeen;
                let is_failure = error.kind() == StoreErrorKind::Unavailable;
                let in_use = (is_there && is_failure).then(|| self.in_use(id)).flatten();
                return in_use.map_or_else(|| Err(about_no_session(error)), Ok);
            }
        }
        // Uses during an outage reach the store when it is over, not all at once.
        if self.may_be_touched(id, idle_at) {
            let error = StoreError::new(StoreErrorKind::Unavailable);
            return Err(error.caused_by("it may have been used in the outage that just ended"));
        }
        Ok(loaded)
    }

    /// Tells the store of uses.
    pub(super) async fn tell_of_use(
        self: &Arc<Self>,
        touch: Touch,
    ) -> Result<Option<Timestamp>, StoreError> {
        let told = self.tell(touch.id.bucket(), self.store.touch(touch)).await;
        self.note_touch(&touch, &told);
        told
    }

    /// A session that this node has seen in use without a gap, which the store could not be told.
    fn in_use(&self, id: SessionId) -> Option<Loaded> {
        let session = self.cache.get(id)?;
        let is_live = self.clock.now() < session.end();
        is_live.then(|| Loaded::Live(session.record().clone()))
    }

    /// Since when a session may be idle that was used without the store being told.
    fn idle_since(&self, loaded: &Loaded) -> Option<Timestamp> {
        match loaded {
            Loaded::Ended {
                reason: EndReason::Idle,
                at,
            } => Some(*at),
            // The latest: a store remembers an end for one idle timeout.
            Loaded::NeverSeen => Some(self.clock.now().before(self.config.idle_timeout)),
            Loaded::Ended { .. } | Loaded::Live(_) => None,
        }
    }
}

/// What takes longer than `span` has failed.
pub(super) async fn within<T>(
    span: Duration,
    question: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let answer = timeout(span, question).await;
    answer.unwrap_or_else(|late| Err(StoreError::new(StoreErrorKind::Unavailable).caused_by(late)))
}

/// Only the load of a record can find it damaged; no other failure says anything of a session.
pub(super) fn about_no_session(error: StoreError) -> StoreError {
    match error.kind() {
        StoreErrorKind::Unavailable => error,
        _ => StoreError::new(StoreErrorKind::Unavailable).caused_by(error),
    }
}

/// Fills `bytes` with the system's randomness.
pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(bytes)
        .map_err(|error| StoreError::new(StoreErrorKind::Unavailable).caused_by(error))
}
