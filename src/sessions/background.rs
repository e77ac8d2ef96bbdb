use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tokio::time::sleep;

use super::node::Node;
use super::task::Task;
use super::upkeep;
use crate::session::{Session, Touch};
use crate::store::{Feed, FeedEvent, SessionStore, StoreError, StoreErrorKind};
use crate::{SessionId, meter, trace};

/// Sessions of which the store is being told a use; more are put off to their next use.
const TOUCHES: u32 = 65_536;
/// Touches that are at the store at the same time, and pending revocations.
const TURNS: usize = 64;
/// Pause before a touch is tried again.
const TOUCH_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Pause before the store is asked for another link.
const SUBSCRIBE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Silence after which a link with a heartbeat is given up for a new one.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

/// What goes on beside the requests: it starts with the first use and ends with the last handle.
pub(super) struct Background {
    /// Follows what the store tells of.
    follower: Task,
    /// Tries a store that is down.
    pub(super) prober: Task,
    /// Repeats revocations.
    pub(super) reasserter: Task,
    touches: Arc<Semaphore>,
    revocations: Arc<Semaphore>,
    pending_revocations: u32,
    /// Revocations that have failed to reach the store at least once.
    postponed: Arc<AtomicU32>,
    /// Who may be at the store: touches do not hold up revocations.
    touch_turns: Semaphore,
    revocation_turns: Semaphore,
    /// Closed when the node is dropped.
    alive: watch::Sender<()>,
}

impl Background {
    pub(super) fn new(pending_revocations: usize) -> Self {
        let most = u32::try_from(pending_revocations.min(Semaphore::MAX_PERMITS));
        let pending_revocations = most.unwrap_or(u32::MAX);
        Self {
            follower: Task::default(),
            prober: Task::default(),
            reasserter: Task::default(),
            touches: Arc::new(Semaphore::new(TOUCHES as usize)),
            revocations: Arc::new(Semaphore::new(pending_revocations as usize)),
            pending_revocations,
            postponed: Arc::default(),
            touch_turns: Semaphore::new(TURNS),
            revocation_turns: Semaphore::new(TURNS),
            alive: watch::Sender::new(()),
        }
    }

    /// The right to have one more revocation pending.
    pub(super) fn permit_to_revoke(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.revocations).try_acquire_owned().ok()
    }

    /// The right to be at the store with a revocation.
    pub(super) async fn turn_to_revoke(&self) -> Option<SemaphorePermit<'_>> {
        self.revocation_turns.acquire().await.ok()
    }

    /// Counts one more revocation that the store is told later, for as long as that is kept.
    pub(super) fn postpone(&self) -> Postponed {
        let before = self.postponed.fetch_add(1, Ordering::Relaxed);
        meter::pending_revocations(before + 1);
        Postponed(Arc::clone(&self.postponed))
    }

    /// How many revocations wait for the store.
    pub(super) fn postponed(&self) -> u32 {
        self.postponed.load(Ordering::Relaxed)
    }

    /// Waits until nothing is left that the store is to be told.
    pub(super) async fn flush(&self) {
        let _touches = self.touches.acquire_many(TOUCHES).await;
        let _revocations = self
            .revocations
            .acquire_many(self.pending_revocations)
            .await;
    }
}

/// A revocation that is pending.
pub(super) struct Postponed(Arc<AtomicU32>);

impl Drop for Postponed {
    fn drop(&mut self) {
        let before = self.0.fetch_sub(1, Ordering::Relaxed);
        meter::pending_revocations(before - 1);
    }
}

impl<S: SessionStore> Node<S> {
    /// Follows what the store tells of from now on, if nobody does and there is a runtime.
    pub(super) fn start(self: &Arc<Self>) {
        let Background {
            follower, alive, ..
        } = &self.background;
        follower.start(|| {
            let follow = follow_feed(Arc::downgrade(self), alive.subscribe());
            upkeep::beside(Arc::downgrade(self), follow)
        });
    }

    /// Has the store told of a use, as often as it takes.
    pub(super) fn tell_later(self: &Arc<Self>, session: &Session, touch: Touch) {
        let permit = Arc::clone(&self.background.touches).try_acquire_owned();
        if let (Ok(runtime), Ok(permit)) = (Handle::try_current(), permit) {
            let node = Arc::downgrade(self);
            runtime.spawn(tell_of_use(node, session.clone(), touch, permit));
        } else {
            session.forget_touch();
        }
    }

    /// Has a session confirmed, so that no request has to wait for it.
    pub(super) fn refresh_soon(self: &Arc<Self>, id: SessionId) {
        if let Ok(runtime) = Handle::try_current() {
            let node = Arc::clone(self);
            runtime.spawn(async move { node.load(id).await });
        }
    }

    async fn subscribe(self: &Arc<Self>) -> Result<Feed, StoreError> {
        let feed = self.tell(self.store.subscribe()).await?;
        let store_now = self.within_deadline(self.store.now()).await?;
        self.clock.follow(store_now);
        self.has_store_clock.set(()).ok();
        (self.cache).link_came_up(self.clock.uptime(), feed.has_heartbeat());
        self.reassert_revocations();
        meter::link(true);
        Ok(feed)
    }

    fn take_in(&self, event: FeedEvent) {
        let is_heartbeat = match event {
            FeedEvent::Changed(sessions) => {
                self.cache.changed(&sessions);
                false
            }
            FeedEvent::Heartbeat(store_now) => {
                self.clock.follow(store_now);
                true
            }
        };
        (self.cache).link_is_alive(self.clock.uptime(), is_heartbeat);
    }
}

/// Tells the store of a use, and of later ones that are owed by then.
async fn tell_of_use<S: SessionStore>(
    node: Weak<Node<S>>,
    session: Session,
    mut touch: Touch,
    _permit: OwnedSemaphorePermit,
) {
    let unless_told = Untold(&session);
    while let Some(node) = node.upgrade() {
        node.cache.is_in_use(session.id());
        let turn = node.background.touch_turns.acquire().await;
        let told = node.tell(node.store.touch(touch)).await;
        drop(turn);
        if matches!(&told, Err(error) if error.kind() == StoreErrorKind::Unavailable) {
            drop(node);
            sleep(TOUCH_AGAIN_AFTER).await;
            continue;
        }
        match session.told(&touch, told.ok().flatten()) {
            Some(next) => touch = next,
            None => return mem::forget(unless_told),
        }
    }
}

/// Has the next use tell the store, also when the runtime ends under the task.
struct Untold<'a>(&'a Session);

impl Drop for Untold<'_> {
    fn drop(&mut self) {
        self.0.forget_touch();
    }
}

/// Takes in what the store tells of, over one link after the other.
async fn follow_feed<S: SessionStore>(node: Weak<Node<S>>, mut alive: watch::Receiver<()>) {
    let mut is_first_failure = true;
    while let Some(subscribed) = subscribe(&node).await {
        match subscribed {
            Ok(feed) => {
                trace::link_up();
                follow_link(&node, feed, &mut alive).await;
                is_first_failure = false;
                if node.strong_count() > 0 {
                    trace::link_lost();
                }
            }
            Err(error) => trace::link_down(&error, mem::take(&mut is_first_failure)),
        }
        tokio::select! {
            () = sleep(SUBSCRIBE_AGAIN_AFTER) => {}
            _ = alive.changed() => return,
        }
    }
}

async fn subscribe<S: SessionStore>(node: &Weak<Node<S>>) -> Option<Result<Feed, StoreError>> {
    Some(node.upgrade()?.subscribe().await)
}

/// Takes in events until the link or the node ends.
async fn follow_link<S: SessionStore>(
    node: &Weak<Node<S>>,
    mut feed: Feed,
    alive: &mut watch::Receiver<()>,
) {
    let _guard = Following(node);
    let has_heartbeat = feed.has_heartbeat();
    loop {
        let event = tokio::select! {
            event = feed.next() => event,
            () = sleep(GIVE_UP_AFTER), if has_heartbeat => None,
            _ = alive.changed() => None,
        };
        match (event, node.upgrade()) {
            (Some(event), Some(node)) => node.take_in(event),
            _ => return,
        }
    }
}

/// The link is down as soon as nobody follows it, also when the runtime ends under the task.
struct Following<'a, S>(&'a Weak<Node<S>>);

impl<S> Drop for Following<'_, S> {
    fn drop(&mut self) {
        if let Some(node) = self.0.upgrade() {
            node.cache.link_went_down(node.clock.uptime());
            node.distrust_store();
            meter::link(false);
        }
    }
}
