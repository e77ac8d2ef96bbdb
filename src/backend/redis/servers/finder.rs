use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::master::Master;
use super::routes::Routes;
use super::search;
use super::settings::Settings;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::info::eviction_policy;
use crate::observe::trace;
use crate::store::StoreError;
use crate::sync::Lock;
use crate::time::Clock;

/// Pause between two searches for the servers; operations in between share the last outcome.
const SEARCH_PAUSE: Duration = Duration::from_millis(50);
/// The longest that a server takes to say how it makes room.
const POLICY_WITHIN: Duration = Duration::from_secs(1);
/// Servers without a route that are connected to at the same time.
const MOST_STRANGERS: usize = 16;
/// A link that does not reach a new master ends within 2 s, or is silent and counts for nothing.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// Knows the servers, and finds them again when they are lost.
///
/// A search is single flight: whoever needs the servers while one is going on waits for that one.
/// It is a task of its own, so that a caller that is dropped at its deadline ends its own waiting
/// and nobody else's. After an outage all requests of a node come at once; without this each of them
/// would connect to every server.
pub(crate) struct Finder {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    /// What was found last.
    ///
    /// Every operation reads it, without a lock: a search replaces the whole and never changes what
    /// is there, so that readers have the old routes or the new ones. The old ones do no harm: the
    /// server that they lead to names the right one, or does not answer, which begins a search.
    routes: ArcSwapOption<Routes>,
    /// Held for a few statements only and never over an `await`.
    state: Lock<State>,
    has_checked_policy: AtomicBool,
}

#[derive(Default)]
struct State {
    /// The search that is going on: one for all who need it.
    search: Option<watch::Receiver<Option<Found>>>,
    last_search: Option<(Instant, Found)>,
    /// Servers that others have named and no route leads to, newest first.
    strangers: Vec<Master>,
}

pub(crate) type Found = Result<Arc<Routes>, StoreError>;

impl Finder {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: Clock::monotonic(),
            routes: ArcSwapOption::empty(),
            state: Lock::default(),
            has_checked_policy: AtomicBool::new(false),
        }
    }

    /// The routes to all masters; an error if one of them cannot be reached.
    pub(crate) async fn all(self: &Arc<Self>) -> Found {
        let known = self.routes().filter(|routes| routes.has_all());
        let routes = match known {
            Some(routes) => routes,
            None => self.search().await?,
        };
        // Here and not in the search: a link needs them all, an operation only one, and one that is
        // down must not keep operations from the others.
        for master in routes.masters() {
            master.connected().await?;
        }
        Ok(routes)
    }

    /// Has the next command to this server look for the masters first.
    pub(crate) fn give_up(&self, address: &Address) {
        if let Some(connection) = self.routes().and_then(|routes| routes.to(address)) {
            connection.give_up();
        }
    }

    /// The connection for a slot, if it is known.
    pub(crate) fn known_connection(&self, slot: u16) -> Option<Arc<Connection>> {
        let routes = self.routes.load();
        let known = routes.as_ref()?.owner(slot)?.connection()?;
        known.is_usable().then_some(known)
    }

    /// The part of the store that has a slot: 0 while no server is known, and outside of a Cluster.
    pub(crate) fn part(&self, slot: u16) -> u64 {
        let routes = self.routes.load();
        routes.as_ref().map_or(0, |routes| routes.part(slot))
    }

    /// The Cluster's name for the server that has a slot, if it has been known for long enough that
    /// every link reaches it.
    pub(crate) fn settled_owner(&self, slot: u16) -> Option<String> {
        let routes = self.routes.load();
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
            // It was found a moment ago, and lost since: an outcome that is shared may be that old.
            Ok(lost) if !lost.is_usable() => self.search_anew().await?.connection(slot).await,
            found => found,
        }
    }

    /// The connection to a server of a Cluster that another one has named. It may be no part of the
    /// routes: it is new, or was a replica, or has no slot yet and takes over its first one.
    pub(crate) async fn named(&self, address: &Address) -> Option<Arc<Connection>> {
        if !self.settings.location.is_cluster() {
            return None;
        }
        let known = self.routes().and_then(|routes| routes.to(address));
        if let Some(usable) = known.filter(|known| known.is_usable()) {
            return Some(usable);
        }
        let named = {
            // Looked for and added under one lock, or two commands that come at once would open two
            // connections to the same server.
            let strangers = &mut self.state.lock().strangers;
            // One that could not be reached is tried anew.
            strangers.retain(Master::is_connected_or_connecting);
            let known = strangers.iter().find(|known| known.address == *address);
            match known {
                Some(known) => known.clone(),
                None => {
                    let new = Master::named(&self.settings, &self.clock, address);
                    strangers.truncate(MOST_STRANGERS - 1);
                    strangers.insert(0, new.clone());
                    new
                }
            }
        };
        named.connected().await.ok()
    }

    pub(crate) fn routes(&self) -> Option<Arc<Routes>> {
        self.routes.load_full()
    }

    /// Finds the servers. All who need it wait for the same search; one that is dropped meanwhile
    /// drops its receiver, and the search goes on.
    pub(crate) async fn search(self: &Arc<Self>) -> Found {
        let mut search = match self.start_search() {
            Ok(search) => search,
            Err(last) => return last,
        };
        // An outcome that is there already counts: between getting the receiver and waiting for it
        // nothing is missed.
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
        let last = self.state.lock().last_search.as_ref().map(|(at, _)| *at);
        if let Some(last) = last {
            sleep(SEARCH_PAUSE.saturating_sub(last.elapsed())).await;
        }
        self.search().await
    }

    /// Joins the search that is going on, or starts one; if there was one just now, its outcome.
    pub(super) fn start_search(self: &Arc<Self>) -> Result<watch::Receiver<Option<Found>>, Found> {
        // All three in one critical section: if the lock was let go between the check and the start, two
        // callers would start a search each.
        let mut state = self.state.lock();
        // A sender that is gone without an outcome is the sign of a runtime that has ended, and the
        // search with it. Whoever waited for it fails; the next one must not wait for it, too.
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
        let found = search::find(&self.settings, &self.clock, known.as_deref()).await;
        let found = found.map(Arc::new);
        // First the routes, then the end of the search, then its outcome: whoever starts another
        // search after this one, or is woken by it, finds the new routes.
        if let Ok(routes) = &found {
            self.routes.store(Some(Arc::clone(routes)));
        }
        {
            // Both under one lock: a caller that came between the two would find neither a search to
            // join nor an outcome of just now, and start one without the pause.
            let mut state = self.state.lock();
            state.last_search = Some((Instant::now(), found.clone()));
            state.search = None;
        }
        outcome.send_replace(Some(found.clone()));
        if let Ok(routes) = found
            && let Ok(connection) = routes.any_open().await
        {
            self.check_eviction_policy(&connection).await;
        }
    }

    /// Warns once if the server may throw sessions away to make room.
    async fn check_eviction_policy(&self, connection: &Connection) {
        // The swap lets one search do it, whatever the ordering; nothing else is published here.
        if self.has_checked_policy.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut command = redis::cmd("INFO");
        command.arg("memory");
        // A user without the permission gets no warning.
        if let Ok(Ok(info)) = timeout(POLICY_WITHIN, connection.query(&command)).await
            && let Ok(policy) = eviction_policy(&info)
            && (policy.starts_with("allkeys-") || policy.starts_with("volatile-"))
        {
            trace::store_may_evict(policy);
        }
    }
}
