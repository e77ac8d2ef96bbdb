use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use super::node::{Node, within};
use super::pending::Pending;
use super::prober::{Prober, has_failed};
use super::tag_keys::look_after_keys;
use super::upkeep;
use crate::observe::{meter, trace};
use crate::session::{Session, Touch};
use crate::store::{Feed, FeedEvent, SessionStore, StoreError};
use crate::task::Task;
use crate::token::SessionId;

/// Sessions of which the store is being told a use; more are put off to their next use.
const TOUCHES: u32 = 65_536;
/// Touches that are at the store at the same time, and pending revocations.
const TURNS: usize = 64;
/// Pause before a touch is tried again.
const TOUCH_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The longest that a link takes to open: it may need a connection to each server of a fleet, and
/// holds up nobody.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);
/// Pause before the store is asked for another link.
const SUBSCRIBE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Silence after which a link with a heartbeat is given up for a new one.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

/// What goes on beside the requests: it starts with the first use and ends with the last handle,
/// or a while later where revocations wait for the store.
pub(super) struct Background {
    /// Follows what the store tells of.
    follower: Task,
    /// Tries what is down of the store.
    pub(super) prober: Prober,
    /// Repeats revocations.
    pub(super) reasserter: Task,
    /// Keeps the node while revocations wait for the store.
    pub(super) keeper: Task,
    pub(super) revocations: Pending,
    touches: Arc<Semaphore>,
    /// Who may be at the store: touches do not hold up revocations.
    touch_turns: Arc<Semaphore>,
    revocation_turns: Arc<Semaphore>,
    /// Closed when the node is dropped.
    alive: watch::Sender<()>,
}

impl Background {
    pub(super) fn new(pending_revocations: usize) -> Self {
        Self {
            follower: Task::default(),
            prober: Prober::default(),
            reasserter: Task::default(),
            keeper: Task::default(),
            revocations: Pending::new(pending_revocations),
            touches: Arc::new(Semaphore::new(TOUCHES as usize)),
            touch_turns: Arc::new(Semaphore::new(TURNS)),
            revocation_turns: Arc::new(Semaphore::new(TURNS)),
            alive: watch::Sender::new(()),
        }
    }

    /// Who tells the store of a revocation takes a turn of these before it takes hold of the node.
    pub(super) fn revocation_turns(&self) -> Turns {
        Turns(Arc::clone(&self.revocation_turns))
    }

    /// Waits until nothing is left that the store is to be told.
    pub(super) async fn flush(&self) {
        let _touches = self.touches.acquire_many(TOUCHES).await;
        self.revocations.flush().await;
    }
}

/// How many tasks are at the store at the same time.
pub(super) struct Turns(Arc<Semaphore>);

impl Turns {
    pub(super) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}

impl<S: SessionStore> Node<S> {
    /// Follows what the store tells of from now on, if nobody does and there is a runtime; looks
    /// after the keys of the tags meanwhile.
    pub(super) fn start(self: &Arc<Self>) {
        let Background {
            follower, alive, ..
        } = &self.background;
        follower.start(|| {
            let follow = follow_feed(Arc::downgrade(self), alive.subscribe());
            upkeep::beside(Arc::downgrade(self), follow)
        });
        let keeper = &self.keyring.keeper;
        keeper.start(|| look_after_keys(Arc::downgrade(self), alive.subscribe()));
    }

    /// Has the store told of a use, as often as it takes.
    pub(super) fn tell_later(self: &Arc<Self>, session: &Session, touch: Touch) {
        let permit = Arc::clone(&self.background.touches).try_acquire_owned();
        let (Ok(runtime), Ok(permit)) = (Handle::try_current(), permit) else {
            return session.forget_touch();
        };
        if self.untold.owe(session, touch) {
            let turns = Turns(Arc::clone(&self.background.touch_turns));
            let node = Arc::downgrade(self);
            runtime.spawn(tell_of_uses(node, session.id(), turns, permit));
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
        let feed = self.open_link().await?;
        let store_now = self.within_deadline(None, self.store.now()).await?;
        self.clock.follow(store_now);
        self.has_store_clock.set(()).ok();
        (self.cache).link_came_up(self.clock.uptime(), feed.has_heartbeat());
        self.reassert_revocations();
        meter::link(true);
        Ok(feed)
    }

    /// Opens a link, with more patience than a request has. Fails at once while the store is known
    /// to be down as a whole.
    async fn open_link(self: &Arc<Self>) -> Result<Feed, StoreError> {
        let place = self.place(None);
        self.unless_down(place)?;
        let opened = within(SUBSCRIBE_WITHIN, self.store.subscribe()).await;
        self.note_order(place, &opened);
        opened
    }

    fn take_in(&self, event: FeedEvent) {
        let now = self.clock.read();
        let answered = match event {
            FeedEvent::Changed(sessions) => {
                self.cache.changed(&sessions);
                None
            }
            FeedEvent::Heartbeat(store_now) => {
                // It may have waited for this task.
                let age = now.fleet.since(store_now);
                self.clock.follow(store_now);
                Some(now.local.before(age))
            }
        };
        self.cache.link_is_alive(now.local, answered);
    }
}

/// Tells the store of uses of a session, and of later ones that are owed by then.
async fn tell_of_uses<S: SessionStore>(
    node: Weak<Node<S>>,
    id: SessionId,
    turns: Turns,
    _permit: OwnedSemaphorePermit,
) {
    let unless_told = GiveUp(&node, id);
    loop {
        let turn = turns.next().await;
        let Some(node) = node.upgrade() else {
            return;
        };
        let Some(touch) = node.untold.latest(id) else {
            return;
        };
        node.cache.is_in_use(id);
        let told = node.tell_of_use(touch).await;
        if has_failed(&told) {
            drop(node);
            drop(turn);
            sleep(TOUCH_AGAIN_AFTER).await;
        } else if !node.untold.told(&touch, told.ok().flatten()) {
            return mem::forget(unless_told);
        }
    }
}

/// Has the next use tell the store, also when the runtime ends under the task.
struct GiveUp<'a, S>(&'a Weak<Node<S>>, SessionId);

impl<S> Drop for GiveUp<'_, S> {
    fn drop(&mut self) {
        if let Some(node) = self.0.upgrade() {
            node.untold.give_up(self.1);
        }
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
