use std::convert::Infallible;
use std::sync::Arc;

use redis::{PushInfo, PushKind};
use tokio::sync::Notify;

use crate::backend::redis::wire::reply::bytes;
use crate::backend::wire::message;
use crate::store::{FeedEvent, FeedSender};

/// Passes on what a master publishes; whatever cannot be passed on is a doubt, and so is a connection
/// that ends.
///
/// It is called by whoever reads the connection, inline: a channel or a task between the two would
/// let an answer, and with it a heartbeat, overtake a change.
#[derive(Clone)]
pub(super) struct Listener {
    sender: FeedSender,
    doubt: Arc<Notify>,
}

impl Listener {
    pub(super) const fn new(sender: FeedSender, doubt: Arc<Notify>) -> Self {
        Self { sender, doubt }
    }

    pub(super) fn hear(&self, published: Option<&[u8]>) {
        let changed = published.and_then(message::decode);
        let is_passed_on =
            changed.is_some_and(|changed| self.sender.send(FeedEvent::Changed(changed)));
        if !is_passed_on {
            self.doubt();
        }
    }

    pub(super) fn doubt(&self) {
        // Leaves a permit if the link does not wait just now, so that the doubt is not lost between
        // two waits; `notify_waiters` would lose it.
        self.doubt.notify_one();
    }

    /// For a connection on which messages and answers come together.
    pub(super) fn of_pushes(
        self,
    ) -> impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static {
        move |info| {
            match info.kind {
                PushKind::Message => self.hear(info.data.last().and_then(bytes)),
                PushKind::Subscribe => {}
                _ => self.doubt(),
            }
            Ok(())
        }
    }
}
