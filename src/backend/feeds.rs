//! The feeds of a store whose nodes are all in its own process.

use crate::store::{Feed, FeedEvent, FeedSender};
use crate::sync::Lock;
use crate::token::SessionId;

/// Events that a node may be behind before its link ends.
const CAPACITY: usize = 1024;

#[derive(Default)]
pub(super) struct Feeds(Lock<Vec<FeedSender>>);

impl Feeds {
    pub(super) fn subscribe(&self) -> Feed {
        let (sender, feed) = Feed::channel(CAPACITY);
        self.0.lock().push(sender);
        // It is in this process, and cannot die unnoticed.
        feed.without_heartbeat()
    }

    /// Publishes to every node that these sessions have changed. A feed that is full or gone is dropped,
    /// which ends the link of its node: no node goes on with an event missing.
    pub(super) fn announce(&self, changed: Vec<SessionId>) {
        if !changed.is_empty() {
            let event = FeedEvent::Changed(changed);
            self.0.lock().retain(|feed| feed.send(event.clone()));
        }
    }
}
