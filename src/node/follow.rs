//! Follows what the store announces, over one link after the other.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::tag_keys::look_after_keys;
use super::{Node, upkeep};
use crate::observe::{meter, trace};
use crate::store::{Feed, FeedEvent, SessionStore, StoreError};

/// Pause before another link is opened.
const SUBSCRIBE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Silence after which a link with a heartbeat is given up for a new one.
const GIVE_UP_AFTER: Duration = Duration::from_secs(5);

impl<S: SessionStore> Node<S> {
    /// Follows what the store announces from now on, if nobody does and there is a runtime; looks
    /// after the keys of the tags meanwhile. Goes on with what an earlier runtime has left undone.
    pub(super) fn start(self: &Arc<Self>) {
        self.tasks.follower.start(|| {
            let follow = follow_feed(Arc::downgrade(self), self.alive.subscribe());
            upkeep::beside(Arc::downgrade(self), follow)
        });
        (self.tasks.key_keeper)
            .start(|| look_after_keys(Arc::downgrade(self), self.alive.subscribe()));
        self.write_uses();
        self.write_revocations();
    }

    async fn subscribe(self: &Arc<Self>) -> Result<Feed, StoreError> {
        let feed = self.upstream.subscribe().await?;
        self.read_clock().await?;
        (self.cache).link_came_up(self.clock.uptime(), feed.has_heartbeat());
        self.reassert_revocations();
        meter::link(true);
        Ok(feed)
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
