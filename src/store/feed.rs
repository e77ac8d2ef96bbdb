use tokio::sync::mpsc;

use crate::time::Timestamp;
use crate::token::SessionId;

/// What a [`Feed`] carries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FeedEvent {
    /// These sessions were revoked, replaced or retired: whatever a node holds of them is out of
    /// date.
    Changed(Vec<SessionId>),
    /// The link is alive, and this is the store's time.
    Heartbeat(Timestamp),
}

/// A link from a store to one node that carries revocations.
///
/// It ends when an event may have been lost: the connection broke, or the node fell behind by
/// more than the capacity. The node then trusts nothing that was not confirmed since, and
/// subscribes again.
#[derive(Debug)]
pub struct Feed {
    events: mpsc::Receiver<FeedEvent>,
    has_heartbeat: bool,
}

/// The store's end of a [`Feed`].
#[derive(Clone, Debug)]
pub struct FeedSender(mpsc::Sender<FeedEvent>);

impl Feed {
    /// A link that holds up to `capacity` events (at least one) for a node that is behind.
    #[must_use]
    pub fn channel(capacity: usize) -> (FeedSender, Self) {
        let (sender, events) = mpsc::channel(capacity.max(1));
        let feed = Self {
            events,
            has_heartbeat: true,
        };
        (FeedSender(sender), feed)
    }

    /// Declares that this link cannot die unnoticed, so that silence means nothing.
    ///
    /// Without this a link is taken for dead after 2 s without an event.
    #[must_use]
    pub fn without_heartbeat(self) -> Self {
        Self {
            has_heartbeat: false,
            ..self
        }
    }

    /// The next event; `None` when the link has ended.
    pub async fn next(&mut self) -> Option<FeedEvent> {
        self.events.recv().await
    }

    pub(crate) const fn has_heartbeat(&self) -> bool {
        self.has_heartbeat
    }
}

impl FeedSender {
    /// Sends without waiting. `false` means that the link has ended, or that the node is too far
    /// behind: the sender is then to be dropped, which ends the link.
    #[must_use]
    pub fn send(&self, event: FeedEvent) -> bool {
        self.0.try_send(event).is_ok()
    }
}
