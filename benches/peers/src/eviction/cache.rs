//! Caches to compare.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use tokio::task::yield_now;
use tower_wx_session::Sessions;
use tower_wx_session::sessions::OutagePolicy;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::test_util::ManualClock;

use super::counted::CountedStore;
use super::{CAPACITY, Cache};
use crate::user::identity;

pub(crate) type Policy = EvictionPolicy;

/// As the crate has it.
const HITS_PER_SAMPLE: usize = 128;

/// When sessions were confirmed.
pub(crate) struct Confirmations {
    at: HashMap<usize, u64>,
    fresh_for: u64,
}

impl Confirmations {
    pub(crate) fn new(fresh_for: u64) -> Self {
        Self {
            at: HashMap::new(),
            fresh_for,
        }
    }

    pub(crate) fn confirm(&mut self, session: usize, now: u64) {
        self.at.insert(session, now);
    }

    /// A request for what is held or not; whether it has it confirmed.
    pub(crate) fn request(&mut self, session: usize, is_held: bool, now: u64) -> bool {
        let due = self.at.get(&session).map(|at| at + self.fresh_for / 5 * 4);
        let is_due = !is_held || due.is_none_or(|due| now >= due);
        if is_due {
            self.confirm(session, now);
        }
        is_due
    }
}

/// Keeps everything.
pub(crate) struct Unlimited(Confirmations);

impl Unlimited {
    pub(crate) fn new(fresh_for: u64) -> Self {
        Self(Confirmations::new(fresh_for))
    }
}

impl Cache for Unlimited {
    async fn login(&mut self, session: usize, now: u64) {
        self.0.confirm(session, now);
    }

    async fn request(&mut self, session: usize, now: u64) -> bool {
        self.0.request(session, true, now)
    }
}

/// Gives up what was used longest ago.
pub(crate) struct Ideal {
    confirmations: Confirmations,
    last_uses: HashMap<usize, u64>,
    order: BTreeMap<u64, usize>,
    uses: u64,
}

impl Ideal {
    pub(crate) fn new(fresh_for: u64) -> Self {
        Self {
            confirmations: Confirmations::new(fresh_for),
            last_uses: HashMap::new(),
            order: BTreeMap::new(),
            uses: 0,
        }
    }

    /// Whether it was held.
    fn put_first(&mut self, session: usize) -> bool {
        self.uses += 1;
        let earlier = self.last_uses.insert(session, self.uses);
        earlier.and_then(|earlier| self.order.remove(&earlier));
        self.order.insert(self.uses, session);
        if self.order.len() as u64 > CAPACITY
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.last_uses.remove(&oldest);
        }
        earlier.is_some()
    }
}

impl Cache for Ideal {
    async fn login(&mut self, session: usize, now: u64) {
        self.put_first(session);
        self.confirmations.confirm(session, now);
    }

    async fn request(&mut self, session: usize, now: u64) -> bool {
        let is_held = self.put_first(session);
        self.confirmations.request(session, is_held, now)
    }
}

/// moka behind a hit table.
pub(crate) struct Layered {
    confirmations: Confirmations,
    moka: moka::sync::Cache<usize, ()>,
    hits: usize,
}

impl Layered {
    pub(crate) fn new(policy: Policy, fresh_for: u64) -> Self {
        let moka = moka::sync::Cache::builder()
            .max_capacity(CAPACITY)
            .eviction_policy(policy);
        Self {
            confirmations: Confirmations::new(fresh_for),
            moka: moka.build(),
            hits: 0,
        }
    }

    fn put(&self, session: usize) {
        // As the crate does before it puts in what was loaded.
        self.moka.get(&session);
        self.moka.insert(session, ());
        self.moka.run_pending_tasks();
    }
}

impl Cache for Layered {
    async fn login(&mut self, session: usize, now: u64) {
        self.confirmations.confirm(session, now);
        self.put(session);
    }

    async fn request(&mut self, session: usize, now: u64) -> bool {
        let is_held = self.moka.contains_key(&session);
        let is_due = self.confirmations.request(session, is_held, now);
        self.hits += usize::from(is_held);
        if is_held && self.hits.is_multiple_of(HITS_PER_SAMPLE) {
            self.moka.get(&session);
        }
        if is_due {
            self.put(session);
        }
        is_due
    }
}

/// The crate.
pub(crate) struct Ours {
    clock: ManualClock,
    started: u64,
    store: CountedStore,
    sessions: Sessions<CountedStore>,
    tokens: HashMap<usize, String>,
}

impl Ours {
    pub(crate) fn new(fresh_for: u64) -> Self {
        let clock = ManualClock::new();
        let store = CountedStore::new(MemoryStore::with_clock(clock.clone()));
        let fresh_for = Duration::from_millis(fresh_for);
        let sessions = Sessions::builder(store.clone())
            .clock(clock.clone())
            .cache_capacity(CAPACITY)
            // Longer than anybody pauses.
            .idle_timeout(Duration::from_secs(12 * 60 * 60))
            .fresh_for(fresh_for)
            .outage_policy(OutagePolicy::ServeKnown(2 * fresh_for))
            .store_deadline(Duration::from_secs(10));
        Self {
            started: clock.now().as_millis(),
            sessions: sessions.build().expect("settings that go together"),
            clock,
            store,
            tokens: HashMap::new(),
        }
    }

    fn set_clock(&self, now: u64) {
        let shown = self.clock.now().as_millis() - self.started;
        self.clock.advance(Duration::from_millis(now - shown));
    }
}

impl Cache for Ours {
    async fn login(&mut self, session: usize, now: u64) {
        self.set_clock(now);
        let issued = self
            .sessions
            .issue(identity(session))
            .await
            .expect("the store is up");
        let token = issued.token().expose().to_owned();
        self.tokens.insert(session, token);
    }

    async fn request(&mut self, session: usize, now: u64) -> bool {
        self.set_clock(now);
        let checked = self.sessions.check(&self.tokens[&session]).await;
        checked.expect("a live session");
        for _ in 0..10 {
            yield_now().await;
        }
        self.store.take_loads() > 0
    }
}
