//! A link: what a store announces, and heartbeats that vouch for it.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::store::{FeedEvent, FeedSender, StoreError};
use crate::time::{Clock, Timestamp};
use crate::token::SessionId;

/// Events that a node may be behind before its link ends.
pub(crate) const CAPACITY: usize = 1024;
const HEARTBEAT_EVERY: Duration = Duration::from_millis(500);
/// The longest that a store takes to answer.
const HEARTBEAT_WITHIN: Duration = Duration::from_secs(1);

/// Passes on what a store announces; whatever cannot be passed on is a doubt, and so is a connection
/// that ends.
///
/// It is called by whoever reads the connection, inline: a channel or a task between the two would
/// let a heartbeat overtake a change.
#[derive(Clone)]
pub(crate) struct Listener {
    sender: FeedSender,
    doubt: Arc<Notify>,
}

impl Listener {
    pub(crate) fn new(sender: FeedSender) -> Self {
        let doubt = Arc::default();
        Self { sender, doubt }
    }

    /// Takes in what was announced, `None` if it cannot be understood.
    pub(crate) fn hear(&self, changed: Option<Vec<SessionId>>) {
        let is_passed_on =
            changed.is_some_and(|changed| self.sender.send(FeedEvent::Changed(changed)));
        if !is_passed_on {
            self.doubt();
        }
    }

    pub(crate) fn doubt(&self) {
        // Leaves a permit if the link does not wait just now, so that the doubt is not lost between
        // two waits; `notify_waiters` would lose it.
        self.doubt.notify_one();
    }
}

/// The connections that a link hears changes on. Dropped, they close, and let go of their listeners.
pub(crate) trait Ends: Send + 'static {
    /// Returns the store's time when all that was announced before it is with the listener.
    fn beat(&mut self) -> impl Future<Output = Result<Timestamp, StoreError>> + Send;
}

/// Sends heartbeats until there is a doubt. What is dropped then ends the feed: the sender, and
/// with the ends those that their listeners hold.
pub(crate) async fn follow(mut ends: impl Ends, clock: Clock, listener: Listener) {
    let Listener { sender, doubt } = listener;
    loop {
        let heartbeat = tokio::select! {
            () = doubt.notified() => return,
            heartbeat = timeout(HEARTBEAT_WITHIN, ends.beat()) => heartbeat,
        };
        let Ok(Ok(now)) = heartbeat else {
            return;
        };
        // Looked for after the heartbeat, and first: a doubt that came before the last answer has
        // left its permit by now, and no heartbeat must vouch for a change that was not passed on.
        tokio::select! {
            biased;
            () = doubt.notified() => return,
            () = ready(()) => {}
        }
        clock.follow(now);
        // In the same queue as the changes: those that it vouches for are in front of it. A queue
        // that is full means that the node is behind, and ends the link as a lost event would.
        if !sender.send(FeedEvent::Heartbeat(now)) {
            return;
        }
        tokio::select! {
            () = sleep(HEARTBEAT_EVERY) => {}
            () = doubt.notified() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Feed;

    /// Answers at once.
    struct Ready;

    impl Ends for Ready {
        async fn beat(&mut self) -> Result<Timestamp, StoreError> {
            Ok(Timestamp::from_millis(1))
        }
    }

    #[tokio::test]
    async fn no_heartbeat_vouches_for_a_change_that_was_not_passed_on() {
        // Often, because the branches of a `select!` are tried in random order by default.
        for _ in 0..64 {
            let (sender, mut feed) = Feed::channel(CAPACITY);
            let listener = Listener::new(sender);
            listener.hear(None);
            follow(Ready, Clock::monotonic(), listener).await;
            assert_eq!(feed.next().await, None, "the link ends");
        }
    }
}
