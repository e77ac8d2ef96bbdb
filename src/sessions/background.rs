use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;

use super::node::Node;
use crate::session::{Session, Touch};
use crate::store::{Feed, FeedEvent, Revoke, SessionStore, StoreError};
use crate::trace;

/// Touches and refreshes that may wait; more are put off to the sessions' next use.
const ERRANDS: usize = 65_536;
/// Pause before the store is asked again for a link.
const RESUBSCRIBE_AFTER: Duration = Duration::from_secs(1);
/// Silence after which a link with a heartbeat is given up for a new one.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);
/// Pause before a pending revocation is tried again.
const REVOKE_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What goes on beside the requests: it starts with the first use and ends with the last handle.
pub(super) struct Background {
    errands: mpsc::Sender<Errand>,
    revocations: mpsc::Sender<Pending>,
    started: AtomicBool,
    /// Taken by the tasks when they start.
    queues: Mutex<Option<Queues>>,
    /// Closed when the node is dropped.
    _alive: watch::Sender<()>,
}

struct Queues {
    errands: mpsc::Receiver<Errand>,
    revocations: mpsc::Receiver<Pending>,
    alive: watch::Receiver<()>,
}

enum Errand {
    Touch(Session, Touch),
    Refresh(Session),
    Flush(oneshot::Sender<()>),
}

enum Pending {
    Revoke(Revoke),
    Flush(oneshot::Sender<()>),
}

impl Background {
    pub(super) fn new(pending_revocations: usize) -> Self {
        let (errands, errand_queue) = mpsc::channel(ERRANDS);
        let (revocations, revocation_queue) = mpsc::channel(pending_revocations);
        let (alive, watcher) = watch::channel(());
        let queues = Queues {
            errands: errand_queue,
            revocations: revocation_queue,
            alive: watcher,
        };
        Self {
            errands,
            revocations,
            started: AtomicBool::new(false),
            queues: Mutex::new(Some(queues)),
            _alive: alive,
        }
    }

    /// Has the store told of a use soon.
    pub(super) fn touch(&self, session: &Session, touch: Touch) {
        let errand = Errand::Touch(session.clone(), touch);
        if self.errands.try_send(errand).is_err() {
            session.forget_touch(&touch);
        }
    }

    /// Has a session confirmed soon.
    pub(super) fn refresh(&self, session: &Session) {
        let errand = Errand::Refresh(session.clone());
        if self.errands.try_send(errand).is_err() {
            session.end_refresh();
        }
    }

    /// Has a revocation tried until the store takes it; `false` if too many are pending.
    pub(super) fn revoke(&self, revoke: Revoke) -> bool {
        self.revocations.try_send(Pending::Revoke(revoke)).is_ok()
    }

    /// Waits until all that was asked for before is done.
    pub(super) async fn flush(&self) {
        let (errands_done, errands) = oneshot::channel();
        let (revocations_done, revocations) = oneshot::channel();
        if self.errands.send(Errand::Flush(errands_done)).await.is_ok() {
            let _ = errands.await;
        }
        let flush = Pending::Flush(revocations_done);
        if self.revocations.send(flush).await.is_ok() {
            let _ = revocations.await;
        }
    }

    fn take_queues(&self) -> Option<Queues> {
        self.queues
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl<S: SessionStore> Node<S> {
    /// Starts what goes on in the background, if it has not been started and there is a runtime.
    pub(super) fn start(self: &Arc<Self>) {
        if self.background.started.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if let Some(queues) = self.background.take_queues() {
            self.background.started.store(true, Ordering::Relaxed);
            let node = Arc::downgrade(self);
            runtime.spawn(run_errands(node.clone(), queues.errands));
            runtime.spawn(run_revocations(node.clone(), queues.revocations));
            runtime.spawn(follow_feed(node, queues.alive));
        }
    }

    async fn run_errand(self: Arc<Self>, errand: Errand) {
        match errand {
            Errand::Touch(session, touch) => {
                if self.ask(self.store.touch(touch)).await.is_err() {
                    session.forget_touch(&touch);
                }
            }
            Errand::Refresh(session) => {
                tokio::spawn(async move { self.refresh(session).await });
            }
            Errand::Flush(done) => {
                let _ = done.send(());
            }
        }
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        let feed = self.within_deadline(self.store.subscribe()).await?;
        let store_now = self.within_deadline(self.store.now()).await?;
        self.clock.follow(store_now);
        self.cache
            .link
            .came_up(self.clock.now(), feed.has_heartbeat());
        Ok(feed)
    }

    fn take_in(&self, event: FeedEvent) {
        match event {
            FeedEvent::Changed(sessions) => self.cache.changed(&sessions),
            FeedEvent::Heartbeat(store_now) => self.clock.follow(store_now),
        }
        self.cache.link.beat(self.clock.now());
    }
}

async fn run_errands<S: SessionStore>(node: Weak<Node<S>>, mut errands: mpsc::Receiver<Errand>) {
    while let Some(errand) = errands.recv().await
        && let Some(node) = node.upgrade()
    {
        node.run_errand(errand).await;
    }
}

async fn run_revocations<S: SessionStore>(
    node: Weak<Node<S>>,
    mut pending: mpsc::Receiver<Pending>,
) {
    while let Some(pending) = pending.recv().await {
        match pending {
            Pending::Revoke(revoke) => {
                while let Some(node) = node.upgrade()
                    && node.write_revocation(&revoke).await.is_err()
                {
                    drop(node);
                    sleep(REVOKE_AGAIN_AFTER).await;
                }
            }
            Pending::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// Takes in what the store tells of, over one link after the other.
async fn follow_feed<S: SessionStore>(node: Weak<Node<S>>, mut alive: watch::Receiver<()>) {
    while let Some(subscribed) = subscribe(&node).await {
        match subscribed {
            Ok(feed) => follow_link(&node, feed, &mut alive).await,
            Err(error) => {
                trace::link_down(&error);
                sleep(RESUBSCRIBE_AFTER).await;
            }
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
            node.cache.link.went_down();
        }
    }
}
