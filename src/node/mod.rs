//! One node of the fleet: the only place that has both the cache and the way to the store.
//!
//! Nouns know no node: `config`, `keyring`, `touches`, … Verbs are what a node does, each in a file
//! of its own: [`hit`](self::hit) is the whole way of a session that is known, `read` reads from the store,
//! `touch` writes uses, `check_keys` has session_keys checked, `follow` takes in what the store
//! announces, `issue`, `rotate` and `revoke` change sessions, `claim` makes something single use,
//! `access_tokens` shares what platforms want with calls, `wait` waits for the end of one.

use std::sync::Arc;

use tokio::sync::{OnceCell, watch};

use crate::cache::{Answer, Cache};
use crate::flights::Flights;
use crate::observe::meter::Meter;
use crate::store::{SessionStore, StoreError};
use crate::task::Task;
use crate::time::Clock;
use crate::token::{SessionId, SpreadIds};
use crate::upstream::{Upstream, within};

#[cfg(feature = "wechat")]
mod access_tokens;
mod check_keys;
pub(crate) mod claim;
mod conclude;
pub(crate) mod config;
mod detached;
mod flush;
mod follow;
mod hit;
mod idle;
mod issue;
pub(crate) mod issued;
mod keep;
pub(crate) mod key_check_policy;
mod key_checks;
mod keyring;
pub(crate) mod outage_policy;
mod pending;
mod postpone;
mod read;
mod ready;
mod reassert;
mod reassertions;
pub(crate) mod revocation;
mod revoke;
mod rotate;
mod rounds;
pub(crate) mod seal;
pub(crate) mod session_keys;
mod tag_keys;
mod touch;
mod touches;
mod turns;
mod unknown_keys;
mod upkeep;
mod wait;

use self::config::Config;
use self::key_checks::KeyChecks;
use self::keyring::Keyring;
use self::pending::Pending;
use self::reassertions::Reassertions;
use self::touches::Touches;
use self::unknown_keys::UnknownKeys;

/// What one process knows of the sessions in a store, and what it does about them.
pub(crate) struct Node<S> {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) meter: Meter,
    cache: Cache,
    upstream: Upstream<S>,
    flights: Flights<SessionId, Answer, SpreadIds>,
    keyring: Keyring,
    unknown_keys: UnknownKeys,
    touches: Touches,
    revocations: Pending,
    reassertions: Reassertions,
    key_checks: Arc<KeyChecks>,
    tasks: Tasks,
    /// Set once the store's clock is known; nothing is decided before.
    has_store_clock: OnceCell<()>,
    /// One for each handle of the application, and this one.
    handles: Arc<()>,
    /// Closed when the node is dropped.
    alive: watch::Sender<()>,
}

/// What goes on beside the requests: it starts with the first use and ends with the last handle, or
/// a while later where revocations wait for the store.
#[derive(Default)]
struct Tasks {
    /// Follows what the store announces.
    follower: Task,
    /// Sees to it that the store has the keys of the tags.
    key_keeper: Task,
    /// Repeats revocations over a new link.
    reasserter: Task,
    /// Has session_keys checked.
    key_checker: Task,
    /// Keeps the node while revocations wait for the store.
    keeper: Task,
}

impl<S: SessionStore> Node<S> {
    pub(crate) fn new(store: S, config: Config, clock: Clock) -> Self {
        let reads = config.loads_in_flight;
        Self {
            cache: Cache::new(config.cache_capacity, config.freshness.useful_for()),
            upstream: Upstream::new(store, config.store_deadline, reads, clock.clone()),
            flights: Flights::default(),
            keyring: Keyring::default(),
            unknown_keys: UnknownKeys::default(),
            touches: Touches::default(),
            revocations: Pending::new(config.pending_revocations),
            reassertions: Reassertions::default(),
            key_checks: Arc::new(KeyChecks::new(config.key_check_policy, clock.uptime())),
            tasks: Tasks::default(),
            has_store_clock: OnceCell::new(),
            handles: Arc::default(),
            alive: watch::Sender::new(()),
            meter: Meter::default(),
            config,
            clock,
        }
    }

    /// A handle of the application: the node knows that there is one as long as it lives.
    pub(crate) fn handle(&self) -> Arc<()> {
        Arc::clone(&self.handles)
    }

    /// Whether sessions of this app are good here.
    pub(crate) fn serves(&self, appid: &str) -> bool {
        self.config.serves(appid)
    }

    /// Entries of the cache.
    pub(crate) fn cached(&self) -> u64 {
        self.cache.len()
    }

    /// Whether the store answers and can be written, so that a login does not spend a code for
    /// nothing.
    pub(crate) async fn ensure_logins(&self) -> Result<(), StoreError> {
        let answers = self.upstream.read(None, |store| store.now());
        self.in_time(answers).await?;
        self.upstream.ensure_logins().await
    }

    /// Learns the fleet's clock from the store, once.
    pub(crate) async fn learn_clock(&self) -> Result<(), StoreError> {
        if self.has_store_clock.initialized() {
            return Ok(());
        }
        if self.upstream.is_down(None) {
            // By itself: nobody waits for the one who tries the store.
            return self.read_clock().await;
        }
        // Boxed, like all that is rare, so that no future is large for its sake.
        let learnt = Box::pin(self.has_store_clock.get_or_try_init(|| self.read_clock()));
        learnt.await.copied()
    }

    /// Reads the store's clock, and goes by it from now on.
    async fn read_clock(&self) -> Result<(), StoreError> {
        let store_now = self.upstream.read(None, |store| store.now()).await;
        self.clock
            .follow(store_now.map_err(StoreError::about_no_record)?);
        // An error means that it is set, or about to be.
        self.has_store_clock.set(()).ok();
        Ok(())
    }

    /// The one deadline covers all waiting for the store: queueing, joining, reading.
    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        within(self.config.store_deadline, work).await
    }
}
