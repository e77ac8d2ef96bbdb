use std::mem;
use std::sync::Arc;

use super::finder::Finder;
use super::link_end::LinkEnd;
use super::parallel::all;
use crate::backend::link::{CAPACITY, Ends, Listener, follow};
use crate::store::{Feed, StoreError};
use crate::time::Timestamp;

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
    let listener = Listener::new(sender);
    // The link is not open before every master has confirmed the subscription: a node trusts what it
    // reads from then on, and no change after that read may go past it.
    let opening = routes
        .masters()
        .iter()
        .map(|master| LinkEnd::open(Arc::clone(finder), master.clone(), listener.clone()));
    // One that cannot be reached fails them all: a link that lacked one master would vouch for
    // changes that nobody hears of. If the caller is dropped here, what was opened is closed.
    let link = Link {
        finder: Arc::clone(finder),
        ends: all(opening).await?,
        epoch: None,
    };
    tokio::spawn(follow(link, finder.clock.clone(), listener));
    Ok(feed)
}

struct Link {
    finder: Arc<Finder>,
    ends: Vec<LinkEnd>,
    /// What the Cluster numbers its topology with.
    epoch: Option<String>,
}

impl Ends for Link {
    /// Has every master say that it is still one, and its time. The latest is that of the store.
    async fn beat(&mut self) -> Result<Timestamp, StoreError> {
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
}

impl Link {
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
