use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::AsyncPushSender;
use redis::{PushInfo, PushKind};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::advice::Place;
use super::connection::Connection;
use super::fault::failed;
use super::finder::Finder;
use super::master::Master;
use super::parallel::all;
use super::settings::Settings;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::greeting::Greeting;
use crate::backend::redis::wire::info::topology_epoch;
use crate::backend::redis::wire::keys::Keys;
use crate::backend::redis::wire::message;
use crate::backend::redis::wire::reply::{bytes, unintelligible};
use crate::store::{Feed, FeedEvent, FeedSender, StoreError};
use crate::time::Timestamp;

/// Events that a node may be behind before its link ends.
const CAPACITY: usize = 1024;
const HEARTBEAT_EVERY: Duration = Duration::from_millis(500);
/// The longest that all masters together take to answer.
const HEARTBEAT_WITHIN: Duration = Duration::from_secs(1);

/// Opens a link: one connection to each master, all at once, which carries what is published there
/// and heartbeats.
///
/// On one connection an answer comes after everything that was published before it, and what is
/// published is passed on by the same task that hands out answers, before the next answer. So a
/// heartbeat vouches for everything up to then. The link ends with the first doubt.
pub(crate) async fn open(finder: &Arc<Finder>, keys: &Keys) -> Result<Feed, StoreError> {
    let routes = finder.all().await?;
    let (sender, feed) = Feed::channel(CAPACITY);
    let doubt = Arc::new(Notify::new());
    // The link is not open before every master has confirmed the subscription: a node trusts what it
    // reads from then on, and no change after that read may go past it.
    let opening = routes.masters().iter().map(|master| {
        let pushed = forward(sender.clone(), Arc::clone(&doubt));
        let (address, id) = (master.address.clone(), master.id.clone());
        open_one(Arc::clone(finder), keys.clone(), address, id, pushed)
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

/// Opens a link's connection to one master, which the Cluster calls `id`.
async fn open_one(
    finder: Arc<Finder>,
    keys: Keys,
    address: Address,
    id: String,
    pushed: impl AsyncPushSender,
) -> Result<End, StoreError> {
    let opened = Connection::open(&finder.settings, &address, Some(pushed));
    let (connection, greeting) = opened.await?;
    greeting.expect_master()?;
    let database = finder.settings.location.database;
    // Earlier releases publish here, and whoever is not sure that all links reach this master.
    let subscribed = connection.subscribe(&keys.channel(database)).await;
    let failed = |error| failed(error, Place::Anywhere, &finder.settings);
    subscribed.map_err(failed)?;
    if !id.is_empty() {
        let own = keys.channel_of(database, &id);
        let subscribed = connection.subscribe(&own).await;
        subscribed.map_err(failed)?;
    }
    let connection = Arc::new(connection);
    // A heartbeat that is refused says why here; later it only ends the link.
    pulse(Arc::clone(&connection), &finder.settings)
        .await
        .map(drop)?;
    Ok(End { connection, id })
}

/// Passes on what a master publishes; whatever cannot be passed on is a doubt, and so is a connection
/// that ends.
///
/// It is called by the connection's driver, inline: a channel or a task between the two would let an
/// answer, and with it a heartbeat, overtake a change.
fn forward(
    sender: FeedSender,
    doubt: Arc<Notify>,
) -> impl Fn(PushInfo) -> Result<(), Infallible> + Send + Sync + 'static {
    move |info| {
        let is_passed_on = match info.kind {
            PushKind::Message => {
                let text = info.data.last().and_then(bytes);
                let changed = text.and_then(message::decode);
                changed.is_some_and(|changed| sender.send(FeedEvent::Changed(changed)))
            }
            PushKind::Subscribe => true,
            _ => false,
        };
        if !is_passed_on {
            // Leaves a permit if the link does not wait just now, so that the doubt is not lost
            // between two waits; `notify_waiters` would lose it.
            doubt.notify_one();
        }
        Ok(())
    }
}

struct Link {
    finder: Arc<Finder>,
    ends: Vec<End>,
    /// What the Cluster numbers its topology with.
    epoch: Option<String>,
}

/// A link's connection to one master.
struct End {
    connection: Arc<Connection>,
    /// The name that the Cluster had for the master when the link was opened.
    id: String,
}

impl Link {
    /// Sends heartbeats until there is a doubt. What is dropped then ends the feed: the sender, and
    /// with the connections those that their drivers hold.
    async fn follow(mut self, sender: FeedSender, doubt: Arc<Notify>) {
        loop {
            // The doubt first: one that came before the answers has left its permit by then, and no
            // heartbeat must vouch for a change that was not passed on. Whichever branch is not
            // taken is dropped, and with the heartbeat the tasks that wait for its answers.
            let heartbeat = tokio::select! {
                biased;
                () = doubt.notified() => return,
                heartbeat = timeout(HEARTBEAT_WITHIN, self.heartbeat()) => heartbeat,
            };
            let Ok(Ok(now)) = heartbeat else {
                return;
            };
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

    /// Has every master say whether it is still one, its time, and what it knows of the Cluster. The
    /// latest time is that of the store.
    async fn heartbeat(&mut self) -> Result<Timestamp, StoreError> {
        let is_cluster = self.finder.settings.location.is_cluster();
        let ends = self.ends.iter();
        let pulses = all(ends.map(|end| {
            let (connection, finder) = (Arc::clone(&end.connection), Arc::clone(&self.finder));
            async move { pulse(connection, &finder.settings).await }
        }))
        .await?;
        let mut latest = Timestamp::default();
        for (end, (greeting, _)) in self.ends.iter().zip(&pulses) {
            if !greeting.is_master {
                // Operations need not find that out by themselves.
                self.finder.give_up(end.connection.address());
            }
            latest = latest.max(greeting.expect_master()?.now);
        }
        if is_cluster {
            let epochs: Result<Vec<_>, _> = pulses.into_iter().map(|(_, epoch)| epoch).collect();
            self.watch_topology(epochs?.join(" ")).await?;
        }
        Ok(latest)
    }

    /// Fails if a master has joined that this link does not reach.
    async fn watch_topology(&mut self, epoch: String) -> Result<(), StoreError> {
        // The number moves with every change of the topology, so the masters are searched only then.
        if self.epoch.as_ref() != Some(&epoch) {
            let routes = self.finder.search_anew().await?;
            if !routes.masters().iter().all(|master| self.reaches(master)) {
                return Err(StoreError::unavailable("a master has joined the Cluster"));
            }
            self.epoch = Some(epoch);
        }
        Ok(())
    }

    fn reaches(&self, master: &Master) -> bool {
        let mut ends = self.ends.iter();
        ends.any(|end| *end.connection.address() == master.address && end.id == master.id)
    }
}

/// Who a server is, its time, and its number for the topology of its Cluster if it takes part in
/// one.
async fn pulse(
    connection: Arc<Connection>,
    settings: &Settings,
) -> Result<(Greeting, Result<String, StoreError>), StoreError> {
    let mut commands = redis::pipe();
    commands.cmd("HELLO").cmd("TIME");
    if settings.location.is_cluster() {
        commands.cmd("CLUSTER").arg("INFO");
    }
    let answers = connection.query_all(&commands).await;
    let at = Place::Server(connection.address());
    let answers = answers.map_err(|error| failed(error, at, settings))?;
    let epoch = answers.get(2).ok_or_else(unintelligible);
    let epoch = epoch.and_then(topology_epoch);
    Ok((Greeting::read(&answers)?, epoch))
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
            let incomprehensible = PushInfo {
                kind: PushKind::Message,
                data: Vec::new(),
            };
            forward(sender.clone(), Arc::clone(&doubt))(incomprehensible).unwrap();
            link.follow(sender, doubt).await;
            assert_eq!(feed.next().await, None, "the link ends");
        }
    }
}
