use std::future::ready;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::finder::Finder;
use super::link_end::LinkEnd;
use super::listener::Listener;
use super::parallel::all;
use crate::store::{Feed, FeedEvent, FeedSender, StoreError};
use crate::time::Timestamp;

/// Events that a node may be behind before its link ends.
const CAPACITY: usize = 1024;
const HEARTBEAT_EVERY: Duration = Duration::from_millis(500);
/// The longest that all masters together take to answer.
const HEARTBEAT_WITHIN: Duration = Duration::from_secs(1);

/// Opens a link: one end at each master, all at once, which carry what is published there and
/// heartbeats.
///
/// On one connection an answer comes after everything that was published before it, and what is
/// published is passed on by the same task that hands out answers, before the next answer. So a
/// heartbeat vouches for everything up to then. Over RESP2 messages and answers come on two
/// connections, and a probe is published behind the changes instead. The link ends with the first
/// doubt.
pub(crate) async fn open(finder: &Arc<Finder>) -> Result<Feed, StoreError> {
    let routes = finder.all().await?;
    let (sender, feed) = Feed::channel(CAPACITY);
    let doubt = Arc::new(Notify::new());
    // The link is not open before every master has confirmed the subscription: a node trusts what it
    // reads from then on, and no change after that read may go past it.
    let opening = routes.masters().iter().map(|master| {
        let listener = Listener::new(sender.clone(), Arc::clone(&doubt));
        LinkEnd::open(Arc::clone(finder), master.clone(), listener)
    });
    // One that cannot be reached fails them all: a link that lacked one master would vouch for
    // changes that nobody hears of. If the caller is dropped here, what was opened is closed.
    let link = Link {
        finder: Arc::clone(finder),
        ends: all(opening).await?,
        epoch: None,
    };
    tokio::spawn(link.follow(sender, doubt));
    Ok(feed)
}

struct Link {
    finder: Arc<Finder>,
    ends: Vec<LinkEnd>,
    /// What the Cluster numbers its topology with.
    epoch: Option<String>,
}

impl Link {
    /// Sends heartbeats until there is a doubt. What is dropped then ends the feed: the sender, and
    /// with the connections those that their drivers hold.
    async fn follow(mut self, sender: FeedSender, doubt: Arc<Notify>) {
        loop {
            // Whichever branch is not taken is dropped, and with the heartbeat its ends.
            let heartbeat = tokio::select! {
                () = doubt.notified() => return,
                heartbeat = timeout(HEARTBEAT_WITHIN, self.heartbeat()) => heartbeat,
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
            self.finder.clock.follow(now);
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

    /// Has every master say that it is still one, and its time. The latest is that of the store.
    async fn heartbeat(&mut self) -> Result<Timestamp, StoreError> {
        let finder = &self.finder;
        let is_cluster = finder.settings.location.is_cluster();
        // If one fails the others are dropped here, and the link ends.
        let ends = mem::take(&mut self.ends).into_iter();
        let pulses = all(ends.map(|end| end.pulse(Arc::clone(finder)))).await?;
        let mut latest = Timestamp::default();
        let mut epochs = Vec::with_capacity(pulses.len());
        for pulse in pulses {
            if !pulse.greeting.is_master {
                // Operations need not find that out by themselves.
                self.finder.give_up(pulse.end.connection.address());
            }
            latest = latest.max(pulse.greeting.expect_master()?.now);
            if is_cluster {
                epochs.push(pulse.epoch?);
            }
            self.ends.push(pulse.end);
        }
        if is_cluster {
            self.watch_topology(epochs.join(" ")).await?;
        }
        Ok(latest)
    }

    /// Fails if a master has joined that this link does not reach.
    async fn watch_topology(&mut self, epoch: String) -> Result<(), StoreError> {
        // The number moves with every change of the topology, so the masters are searched only then.
        if self.epoch.as_ref() != Some(&epoch) {
            let routes = self.finder.search_anew().await?;
            for master in routes.masters() {
                let mut ends = self.ends.iter_mut();
                let end = ends.find(|end| end.is_at(master));
                let end =
                    end.ok_or_else(|| StoreError::unavailable("a master has joined the Cluster"))?;
                end.follow(&self.finder.settings.keys, master);
            }
            self.epoch = Some(epoch);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RedisStore;

    #[tokio::test]
    async fn no_heartbeat_vouches_for_a_change_that_was_not_passed_on() {
        let store = RedisStore::builder("redis://127.0.0.1:1").build().unwrap();
        // Often, because the branches of a `select!` are tried in random order by default.
        for _ in 0..64 {
            let link = Link {
                finder: Arc::clone(store.router.finder()),
                ends: Vec::new(),
                epoch: None,
            };
            let (sender, mut feed) = Feed::channel(CAPACITY);
            let doubt = Arc::new(Notify::new());
            Listener::new(sender.clone(), Arc::clone(&doubt)).hear(None);
            link.follow(sender, doubt).await;
            assert_eq!(feed.next().await, None, "the link ends");
        }
    }
}
