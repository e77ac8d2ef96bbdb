use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, timeout};

use super::background::Background;
use super::builder::Config;
use super::keyring::{Keyring, Tag};
use crate::cache::{Answer, Cache, Gone};
use crate::meter::{AnsweredBy, Meter};
use crate::outage::Outage;
use crate::session::{Session, StoreState, Verdict, decide};
use crate::store::{
    EndReason, Loaded, SessionStore, StoreError, StoreErrorKind, TagKey, Timestamp, Watched,
};
use crate::time::{Clock, Uptime};
use crate::token::Token;
use crate::{Rejection, RejectionKind, SessionId, trace};

/// Tokens with keys that nobody knows have the store asked for keys at most once in this time.
const UNKNOWN_KEYS_SHARED: Duration = Duration::from_secs(1);

/// One node of the fleet: the store, and what this process knows of the sessions in it.
pub(crate) struct Node<S> {
    pub(super) store: Watched<S>,
    pub(super) config: Config,
    pub(crate) clock: Clock,
    pub(super) cache: Cache,
    pub(super) keyring: Keyring,
    pub(super) background: Background,
    loads: Semaphore,
    /// Set once the store's clock is known; nothing is decided before.
    pub(super) has_store_clock: OnceCell<()>,
    pub(super) meter: Meter,
    /// Whether the store has failed of late.
    outage: Mutex<Outage>,
}

impl<S: SessionStore> Node<S> {
    pub(super) fn new(store: S, config: Config, clock: Clock) -> Self {
        Self {
            cache: Cache::new(config.cache_capacity),
            loads: Semaphore::new(config.loads_in_flight.min(Semaphore::MAX_PERMITS)),
            background: Background::new(config.pending_revocations),
            keyring: Keyring::default(),
            has_store_clock: OnceCell::new(),
            meter: Meter::default(),
            outage: Mutex::default(),
            store: Watched(store),
            config,
            clock,
        }
    }

    /// Decides from what is known on this node; `None` if the store has to be asked.
    pub(crate) fn check_now(self: &Arc<Self>, token: &Token) -> Option<Result<Session, Rejection>> {
        let id = token.id();
        let now = self.clock.read();
        let Some(session) = self.cache.get(id) else {
            return self.check_unknown(token, id, now.local).map(Err);
        };
        let link = self.cache.link(now.local);
        match decide(&session.facts(), now, link, &self.config.freshness) {
            Verdict::Valid { refresh } => {
                self.use_session(&session, now.fleet, refresh);
                self.meter.passed(AnsweredBy::Cache);
                Some(Ok(session))
            }
            Verdict::Invalid(reason) => {
                let kind = RejectionKind::from(reason);
                self.meter.refused(kind, AnsweredBy::Cache);
                Some(Err(kind.into()))
            }
            Verdict::Confirm | Verdict::Unknown => None,
        }
    }

    /// Asks the store, then decides.
    pub(crate) async fn check_with_store(
        self: &Arc<Self>,
        token: &Token,
    ) -> Result<Session, Rejection> {
        let checked = trace::check_span(self.ask_about(token)).await;
        match &checked {
            Ok(_) => self.meter.passed(AnsweredBy::Store),
            Err(rejection) => self.meter.refused(rejection.kind(), AnsweredBy::Store),
        }
        checked
    }

    /// Refuses what is no token, or more than one.
    pub(crate) fn refuse_at_sight(&self, kind: RejectionKind) -> Rejection {
        self.meter.refused(kind, AnsweredBy::Request);
        kind.into()
    }

    async fn ask_about(self: &Arc<Self>, token: &Token) -> Result<Session, Rejection> {
        self.start();
        let id = token.id();
        let question = async {
            self.learn_clock().await?;
            if self.cache.get(id).is_none() && self.keyring.judge(token) == Tag::Unknown {
                self.fetch_keys(UNKNOWN_KEYS_SHARED).await?;
                if self.keyring.judge(token) == Tag::Forged {
                    return Ok(None);
                }
            }
            Ok(Some(self.load_aside(id).await))
        };
        let answer = match self.within_deadline(question).await {
            Ok(None) => return Err(RejectionKind::SessionMalformed.into()),
            Ok(Some(answer)) => answer,
            Err(error) => Answer::Failed(error),
        };
        match answer {
            Answer::Live(session) => self.settle(session, StoreState::Answered),
            Answer::Gone(gone) => Err(gone.into()),
            Answer::Failed(error) => self.check_without_store(id, error),
        }
    }

    /// Decides from what is known, because the store could not tell.
    fn check_without_store(
        self: &Arc<Self>,
        id: SessionId,
        error: StoreError,
    ) -> Result<Session, Rejection> {
        if error.kind() == StoreErrorKind::Corrupt {
            return Err(refusal(id, error));
        }
        match self.cache.known(id) {
            Some(Answer::Live(session)) => self
                .settle(session, StoreState::Silent)
                .map_err(|rejection| rejection.caused_by(error)),
            Some(Answer::Gone(gone)) => Err(gone.into()),
            Some(Answer::Failed(_)) | None => Err(refusal(id, error)),
        }
    }

    /// Asks the store within the deadline, and tells the operator if it cannot tell.
    pub(super) async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = self.within_deadline(question).await;
        self.note_outage(answer.as_ref().err());
        answer
    }

    /// An outage is one warning, and one word when it is over.
    fn note_outage(&self, failure: Option<&StoreError>) {
        let now = Instant::now();
        let outage = || self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            // Of one record, not of the store.
            Some(error) if error.kind() != StoreErrorKind::Unavailable => {
                trace::store_failed(error, false);
            }
            Some(error) => {
                let begins = outage().fails(now);
                trace::store_failed(error, begins);
            }
            None => {
                let over = outage().succeeds(now);
                if let Some(over) = over {
                    trace::store_is_back(over);
                }
            }
        }
    }

    /// The one deadline covers all waiting for the store: queueing, joining, asking.
    pub(super) async fn within_deadline<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = timeout(self.config.store_deadline, question).await;
        answer.unwrap_or_else(|late| {
            Err(StoreError::new(StoreErrorKind::Unavailable).caused_by(late))
        })
    }

    /// Whether the store answers, so that a login does not spend a code for nothing.
    pub(crate) async fn store_answers(&self) -> Result<(), StoreError> {
        self.ask(self.store.now()).await.map(drop)
    }

    /// Learns the fleet's clock from the store, once.
    pub(super) async fn learn_clock(&self) -> Result<(), StoreError> {
        let learn = async || {
            let store_now = self.store.now().await.map_err(about_no_session)?;
            self.clock.follow(store_now);
            Ok(())
        };
        self.has_store_clock.get_or_try_init(learn).await.copied()
    }

    pub(super) async fn fetch_keys(&self, shared_for: Duration) -> Result<(), StoreError> {
        let mut secret = [0; 16];
        fill_random(&mut secret)?;
        let offer = TagKey::new(key_id(self.clock.now()), secret);
        let fetched = self.keyring.fetch(&self.store, offer, shared_for).await;
        fetched.map_err(about_no_session)
    }

    /// Asks the store, in a task of its own: a request that is gone takes no load along.
    async fn load_aside(self: &Arc<Self>, id: SessionId) -> Answer {
        let node = Arc::clone(self);
        let load = tokio::spawn(trace::inherit(async move { node.load(id).await }));
        load.await.unwrap_or_else(|stopped| {
            Answer::Failed(StoreError::new(StoreErrorKind::Unavailable).caused_by(stopped))
        })
    }

    pub(super) async fn load(&self, id: SessionId) -> Answer {
        let load = || {
            self.ask(async {
                let _permit = self.loads.acquire().await;
                let told = self.tell_before_load(id).await;
                match (self.store.load(id).await?, told) {
                    // It would know better, could it be told.
                    (
                        Loaded::Ended {
                            reason: EndReason::Idle,
                            ..
                        },
                        Err(error),
                    ) => Err(error),
                    (loaded, _) => Ok(loaded),
                }
            })
        };
        self.cache.load(id, load, || self.clock.uptime()).await
    }

    /// Has the store know of a use before it is asked, so that it does not call the session idle.
    async fn tell_before_load(&self, id: SessionId) -> Result<(), StoreError> {
        let held = self.cache.held(id);
        if let Some(touch) = held.and_then(|session| session.untold()) {
            let told = self.store.touch(touch).await;
            told.map_err(about_no_session)?;
        }
        Ok(())
    }

    fn check_unknown(&self, token: &Token, id: SessionId, now: Uptime) -> Option<Rejection> {
        match self.keyring.judge(token) {
            Tag::Forged => Some(self.refuse_at_sight(RejectionKind::SessionMalformed)),
            Tag::Genuine | Tag::Unknown => {
                let gone = self.cache.gone(id, now).map(Rejection::from);
                gone.inspect(|gone| self.meter.refused(gone.kind(), AnsweredBy::Cache))
            }
        }
    }

    fn settle(self: &Arc<Self>, session: Session, state: StoreState) -> Result<Session, Rejection> {
        let now = self.clock.read();
        match decide(&session.facts(), now, state, &self.config.freshness) {
            Verdict::Valid { .. } => {
                self.use_session(&session, now.fleet, false);
                Ok(session)
            }
            Verdict::Invalid(reason) => Err(RejectionKind::from(reason).into()),
            Verdict::Confirm | Verdict::Unknown => Err(RejectionKind::StoreUnavailable.into()),
        }
    }

    fn use_session(self: &Arc<Self>, session: &Session, now: Timestamp, refresh: bool) {
        if let Some(touch) = session.note_use(now) {
            self.tell_later(session, touch);
        }
        if refresh && session.start_refresh() {
            self.refresh_soon(session.id());
        }
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

impl From<Gone> for Rejection {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Ended(reason) => RejectionKind::from(reason).into(),
            Gone::NeverSeen => RejectionKind::SessionUnknown.into(),
        }
    }
}

/// A damaged record is refused by itself; anything else may be over in a moment.
fn refusal(id: SessionId, error: StoreError) -> Rejection {
    let kind = match error.kind() {
        StoreErrorKind::Corrupt => RejectionKind::SessionUnknown,
        StoreErrorKind::Unavailable | StoreErrorKind::NewerVersion => {
            RejectionKind::StoreUnavailable
        }
    };
    if error.kind() != StoreErrorKind::Unavailable {
        trace::record_refused(id, &error);
    }
    Rejection::from(kind).caused_by(error)
}

/// Fills `bytes` with the system's randomness.
pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), StoreError> {
    getrandom::fill(bytes)
        .map_err(|error| StoreError::new(StoreErrorKind::Unavailable).caused_by(error))
}
