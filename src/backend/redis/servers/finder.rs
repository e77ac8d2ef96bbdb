use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redis::Value;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::connection::{Connection, Settings};
use super::master::Master;
use super::routes::Routes;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::reply::{bytes, unintelligible};
use crate::observe::trace;
use crate::store::StoreError;
use crate::time::Clock;

/// Pause between two searches for the servers; questions in between share the last outcome.
const SEARCH_PAUSE: Duration = Duration::from_millis(50);
/// The longest that a server takes to say how it makes room.
const LOOKED_WITHIN: Duration = Duration::from_secs(1);
/// Servers without a slot that are connected to at the same time.
const MOST_IMPORTERS: usize = 16;
/// A link that does not reach a new master ends within 2 s, or is silent and counts for nothing.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Knows the servers, and finds them again when they are lost.
pub(crate) struct Finder {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    /// What was found last; every question reads it.
    routes: RwLock<Option<Arc<Routes>>>,
    state: Mutex<State>,
    has_looked_at_memory: AtomicBool,
}

#[derive(Default)]
struct State {
    /// The search that is going on: one for all who need it.
    search: Option<watch::Receiver<Option<Found>>>,
    last_search: Option<(Instant, Found)>,
    /// Servers that take over slots and had none when they were named, newest first.
    importers: Vec<Master>,
}

pub(crate) type Found = Result<Arc<Routes>, StoreError>;

impl Finder {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: Clock::monotonic(),
            routes: RwLock::default(),
            state: Mutex::default(),
            has_looked_at_memory: AtomicBool::new(false),
        }
    }

    /// The routes to all masters; an error if one of them cannot be reached.
    pub(crate) async fn all(self: &Arc<Self>) -> Found {
        let known = self.routes().filter(|routes| routes.has_all());
        let routes = match known {
            Some(routes) => routes,
            None => self.search().await?,
        };
        for master in routes.masters() {
            master.connected().await?;
        }
        Ok(routes)
    }

    /// Has the next question to this server look for the masters first.
    pub(crate) fn give_up(&self, address: &Address) {
        if let Some(connection) = self.routes().and_then(|routes| routes.to(address)) {
            connection.give_up();
        }
    }

    /// The connection for a slot, if it is known.
    pub(crate) fn known_connection(&self, slot: u16) -> Option<Arc<Connection>> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let known = routes.as_ref()?.owner(slot)?.connection()?;
        known.is_usable().then_some(known)
    }

    /// The part of the store that has a slot: 0 while no server is known, and outside of a Cluster.
    pub(crate) fn part(&self, slot: u16) -> u64 {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.as_ref().map_or(0, |routes| routes.part(slot))
    }

    /// The Cluster's name for the server that has a slot, if it has been known for long enough that
    /// every link reaches it.
    pub(crate) fn settled_owner(&self, slot: u16) -> Option<String> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let owner = routes.as_ref()?.owner(slot)?;
        let is_settled = !owner.id.is_empty() && owner.is_known_for(SETTLED_AFTER);
        is_settled.then(|| owner.id.clone())
    }

    /// The connection for a slot, which has to be looked for.
    pub(crate) async fn find_connection(
        self: &Arc<Self>,
        slot: u16,
    ) -> Result<Arc<Connection>, StoreError> {
        match self.search().await?.connection(slot).await {
            // It was found a moment ago, and lost since.
            Ok(lost) if !lost.is_usable() => self.search_anew().await?.connection(slot).await,
            found => found,
        }
    }

    /// The connection to a server that takes over a slot. It may have none yet, and be no part of
    /// the routes.
    pub(crate) async fn importer(&self, address: &Address) -> Option<Arc<Connection>> {
        let known = self.routes().and_then(|routes| routes.to(address));
        if let Some(usable) = known.filter(|known| known.is_usable()) {
            return Some(usable);
        }
        let importer = {
            let importers = &mut self.state().importers;
            importers.retain(Master::is_connected_or_connecting);
            let known = importers.iter().find(|known| known.address == *address);
            match known {
                Some(known) => known.clone(),
                None => {
                    let new = Master::importer(&self.settings, &self.clock, address);
                    importers.truncate(MOST_IMPORTERS - 1);
                    importers.insert(0, new.clone());
                    new
                }
            }
        };
        importer.connected().await.ok()
    }

    pub(crate) fn routes(&self) -> Option<Arc<Routes>> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the servers. All who need it wait for the same search, which nobody's end ends.
    pub(crate) async fn search(self: &Arc<Self>) -> Found {
        let mut search = match self.start_search() {
            Ok(search) => search,
            Err(last) => return last,
        };
        let found = search.wait_for(Option::is_some).await;
        match found.as_deref() {
            Ok(Some(found)) => found.clone(),
            // The runtime of the search has ended.
            _ => Err(StoreError::unavailable(
                "the search for the servers has ended",
            )),
        }
    }

    /// Finds the servers, after a pause if they were found just now.
    pub(crate) async fn search_anew(self: &Arc<Self>) -> Found {
        let last = self.state().last_search.as_ref().map(|(at, _)| *at);
        if let Some(last) = last {
            sleep(SEARCH_PAUSE.saturating_sub(last.elapsed())).await;
        }
        self.search().await
    }

    pub(crate) fn start_search(self: &Arc<Self>) -> Result<watch::Receiver<Option<Found>>, Found> {
        let mut state = self.state();
        if let Some(search) = &state.search
            && search.has_changed().is_ok()
        {
            return Ok(search.clone());
        }
        if let Some((at, found)) = &state.last_search
            && at.elapsed() < SEARCH_PAUSE
        {
            return Err(found.clone());
        }
        let (outcome, search) = watch::channel(None);
        state.search = Some(search.clone());
        tokio::spawn(Arc::clone(self).find(outcome));
        Ok(search)
    }

    async fn find(self: Arc<Self>, outcome: watch::Sender<Option<Found>>) {
        let known = self.routes();
        let found = Routes::find(&self.settings, &self.clock, known.as_deref()).await;
        let found = found.map(Arc::new);
        {
            if let Ok(routes) = &found {
                let mut known = self.routes.write().unwrap_or_else(PoisonError::into_inner);
                *known = Some(Arc::clone(routes));
            }
            let mut state = self.state();
            state.last_search = Some((Instant::now(), found.clone()));
            state.search = None;
        }
        outcome.send_replace(Some(found.clone()));
        if let Ok(routes) = found
            && let Ok(connection) = routes.any_open().await
        {
            self.look_at_memory(&connection).await;
        }
    }

    /// Warns once if the server may throw sessions away to make room.
    async fn look_at_memory(&self, connection: &Connection) {
        if self.has_looked_at_memory.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut question = redis::cmd("INFO");
        question.arg("memory");
        // A user who may not ask is not told.
        if let Ok(Ok(answer)) = timeout(LOOKED_WITHIN, connection.ask(&question)).await
            && let Ok(policy) = eviction_policy(&answer)
            && (policy.starts_with("allkeys-") || policy.starts_with("volatile-"))
        {
            trace::store_may_evict(policy);
        }
    }
}

fn eviction_policy(info: &Value) -> Result<&str, StoreError> {
    let text = bytes(info).and_then(|text| std::str::from_utf8(text).ok());
    text.ok_or_else(unintelligible)?
        .lines()
        .find_map(|line| line.strip_prefix("maxmemory_policy:"))
        .ok_or_else(unintelligible)
}
