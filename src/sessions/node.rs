use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::aside::Aside;
use super::background::Background;
use super::breaker::Breaker;
use super::builder::Config;
use super::keyring::Keyring;
use super::reassertion::Reassertions;
use crate::SessionId;
use crate::cache::{Answer, Cache};
use crate::meter::Meter;
use crate::store::{
    EndReason, Loaded, SessionStore, StoreError, StoreErrorKind, TagKey, Timestamp, Watched,
};
use crate::time::Clock;

/// Waits of a load, each of a deadline: its turn, the answer, a use to be told, the answer after it.
const LOAD_STEPS: u32 = 4;

/// One node of the fleet: the store, and what this process knows of the sessions in it.
pub(crate) struct Node<S> {
    pub(super) store: Watched<S>,
    pub(super) config: Config,
    pub(crate) clock: Clock,
    pub(super) cache: Cache,
    pub(super) keyring: Keyring,
    pub(super) background: Background,
    pub(super) breaker: Breaker,
    pub(super) reassertions: Reassertions,
    loads: Semaphore,
    /// Set once the store's clock is known; nothing is decided before.
    pub(super) has_store_clock: OnceCell<()>,
    pub(super) meter: Meter,
}

impl<S: SessionStore> Node<S> {
    pub(super) fn new(store: S, config: Config, clock: Clock) -> Self {
        Self {
            cache: Cache::new(config.cache_capacity, config.freshness.useful_for()),
            loads: Semaphore::new(config.loads_in_flight.min(Semaphore::MAX_PERMITS)),
            background: Background::new(config.pending_revocations),
            breaker: Breaker::default(),
            reassertions: Reassertions::default(),
            keyring: Keyring::default(),
            has_store_clock: OnceCell::new(),
            meter: Meter::default(),
            store: Watched(store),
            config,
            clock,
        }
    }

    /// Asks the store within the deadline; its failures open the breaker.
    pub(super) async fn ask<T>(
        self: &Arc<Self>,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.unless_down()?;
        let answer = self.in_time(question).await;
        self.note_question(&answer);
        answer
    }

    /// Has the store do something within the deadline. A store that can be read only still serves
    /// checks, so this opens no breaker.
    pub(super) async fn tell<T>(
        self: &Arc<Self>,
        order: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = self.within_deadline(order).await;
        self.note_order(&answer);
        answer
    }

    /// The one deadline covers all waiting for the store: queueing, joining, asking. There is none
    /// while it is known to be down.
    pub(super) async fn within_deadline<T>(
        self: &Arc<Self>,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.unless_down()?;
        self.in_time(question).await
    }

    async fn in_time<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = timeout(self.config.store_deadline, question).await;
        answer.unwrap_or_else(|late| {
            Err(StoreError::new(StoreErrorKind::Unavailable).caused_by(late))
        })
    }

    /// Whether the store answers, so that a login does not spend a code for nothing.
    pub(crate) async fn store_answers(self: &Arc<Self>) -> Result<(), StoreError> {
        self.ask(self.store.now()).await.map(drop)
    }

    /// Learns the fleet's clock from the store, once.
    pub(super) async fn learn_clock(self: &Arc<Self>) -> Result<(), StoreError> {
        let learn = async || {
            let store_now = self.ask(self.store.now()).await.map_err(about_no_session)?;
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

    pub(super) async fn fetch_keys(
        self: &Arc<Self>,
        shared_for: Duration,
    ) -> Result<(), StoreError> {
        let mut secret = [0; 16];
        fill_random(&mut secret)?;
        let offer = TagKey::new(key_id(self.clock.now()), secret);
        // One answer, however many share it.
        let ask = || self.ask(self.store.tag_keys(offer));
        let fetched = Box::pin(self.keyring.fetch(ask, shared_for));
        fetched.await.map_err(about_no_session)
    }

    /// Asks the store: a request that is gone takes no load along.
    pub(super) fn load_aside(self: &Arc<Self>, id: SessionId) -> Aside<Answer> {
        let node = Arc::clone(self);
        let work = async move { node.load(id).await };
        Aside::new(work, self.config.store_deadline.saturating_mul(LOAD_STEPS))
    }

    pub(super) async fn load(self: &Arc<Self>, id: SessionId) -> Answer {
        let load = async || {
            let _turn = match self.loads.try_acquire() {
                Ok(turn) => turn,
                Err(_) => Box::pin(self.queue()).await?,
            };
            // Boxed, because each of the layers around it would hold it twice.
            let loaded = self.ask(Box::pin(self.store.load(id))).await?;
            match idle_since(&loaded) {
                Some(at) => Box::pin(self.unless_used_since(id, at, loaded)).await,
                None => Ok(loaded),
            }
        };
        let known = || self.known_without_asking(id);
        self.cache
            .load(id, known, load, || self.clock.uptime())
            .await
    }

    /// Waits for its turn among those who load.
    async fn queue(self: &Arc<Self>) -> Result<SemaphorePermit<'_>, StoreError> {
        let turn = async { Ok(self.loads.acquire().await) };
        self.within_deadline(turn)
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
        let held = self.cache.held(id);
        if let Some(touch) = held.and_then(|session| session.untold()) {
            let told = self.tell(self.store.touch(touch)).await;
            if told.map_err(about_no_session)?.is_some() {
                return self.ask(self.store.load(id)).await;
            }
        }
        // Uses during an outage reach the store when it is over, not all at once.
        if self.breaker.may_be_touched(idle_at, self.clock.now()) {
            let error = StoreError::new(StoreErrorKind::Unavailable);
            return Err(error.caused_by("it may have been used in the outage that just ended"));
        }
        Ok(loaded)
    }
}

const fn idle_since(loaded: &Loaded) -> Option<Timestamp> {
    match loaded {
        Loaded::Ended {
            reason: EndReason::Idle,
            at,
        } => Some(*at),
        _ => None,
    }
}

/// Only the load of a record can find it damaged; no other failure says anything of a session.
fn about_no_session(error: StoreError) -> StoreError {
    match error.kind() {
        StoreErrorKind::Unavailable => error,
        _ => StoreError::new(StoreErrorKind::Unavailable).caused_by(error),
    }
}

/// A key that replaces a lost one must not have its id, or the tokens of the lost one would look
/// forged: ids count quarters of a day, and come around after more than two lifetimes.
fn key_id(now: Timestamp) -> u8 {
    const QUARTER_DAY: u64 = 6 * 60 * 60;
    (now.as_secs() / QUARTER_DAY).to_le_bytes()[0]
}

/// Fills `bytes` with the system's randomness.
pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(bytes)
        .map_err(|error| StoreError::new(StoreErrorKind::Unavailable).caused_by(error))
}
