use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::AsyncPushSender;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::finder::Finder;
use super::location::Topology;
use super::master::Master;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::keys::Keys;
use crate::backend::redis::wire::message;
use crate::backend::redis::wire::reply::{Greeting, bytes, unintelligible};
use crate::store::{Feed, FeedEvent, FeedSender, StoreError};
use crate::time::Timestamp;

/// Events that a node may be behind before its link ends.
const CAPACITY: usize = 1024;
const BEAT_EVERY: Duration = Duration::from_millis(500);
/// The longest that all masters together take to answer.
const BEAT_WITHIN: Duration = Duration::from_secs(1);

/// Opens a link: one connection to each master, all at once, on which it is told of changes and
/// asked for the time.
///
/// An answer to a question comes after all that was told before it, so a heartbeat vouches for
/// everything up to then. The link ends with the first doubt.
pub(crate) async fn open(finder: &Arc<Finder>, keys: &Keys) -> Result<Feed, StoreError> {
    let routes = finder.all().await?;
    let (sender, feed) = Feed::channel(CAPACITY);
    let doubt = Arc::new(Notify::new());
    let opening = routes.masters().iter().map(|master| {
        let pushed = forward(sender.clone(), Arc::clone(&doubt));
        let (address, id) = (master.address.clone(), master.id.clone());
        open_one(Arc::clone(finder), keys.clone(), address, id, pushed)
    });
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
    subscribed.map_err(StoreError::unavailable)?;
    if !id.is_empty() {
        let own = keys.channel_of(database, &id);
        let subscribed = connection.subscribe(&own).await;
        subscribed.map_err(StoreError::unavailable)?;
    }
    let connection = Arc::new(connection);
    Ok(End { connection, id })
}

/// Does all at once; the first failure is that of all.
async fn all<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = Result<T, StoreError>> + Send + 'static>,
) -> Result<Vec<T>, StoreError> {
    let numbered = work.enumerate();
    let mut running: JoinSet<_> = numbered
        .map(|(number, work)| async move { (number, work.await) })
        .collect();
    let mut done = Vec::with_capacity(running.len());
    while let Some(joined) = running.join_next().await {
        let (number, result) = joined.map_err(StoreError::unavailable)?;
        done.push((number, result?));
    }
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// Passes on what a master tells, without a detour; whatever cannot be passed on is a doubt.
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
    /// Beats until there is a doubt. What is dropped then ends the feed.
    async fn follow(mut self, sender: FeedSender, doubt: Arc<Notify>) {
        loop {
            let beat = tokio::select! {
                beat = timeout(BEAT_WITHIN, self.beat()) => beat,
                () = doubt.notified() => return,
            };
            let Ok(Ok(now)) = beat else {
                return;
            };
            self.finder.clock.follow(now);
            if !sender.send(FeedEvent::Heartbeat(now)) {
                return;
            }
            tokio::select! {
                () = sleep(BEAT_EVERY) => {}
                () = doubt.notified() => return,
            }
        }
    }

    /// Asks every master whether it is still one, the time, and what it knows of the Cluster.
    async fn beat(&mut self) -> Result<Timestamp, StoreError> {
        let topology = &self.finder.settings.location.topology;
        let is_cluster = matches!(topology, Topology::Cluster(_));
        let ends = self.ends.iter();
        let pulses = all(ends.map(|end| pulse(Arc::clone(&end.connection), is_cluster))).await?;
        let mut latest = Timestamp::default();
        for (end, (greeting, _)) in self.ends.iter().zip(&pulses) {
            if !greeting.is_master {
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
    is_cluster: bool,
) -> Result<(Greeting, Result<String, StoreError>), StoreError> {
    let mut question = redis::pipe();
    question.cmd("HELLO").cmd("TIME");
    if is_cluster {
        question.cmd("CLUSTER").arg("INFO");
    }
    let answers = connection.ask_all(&question).await;
    let answers = answers.map_err(StoreError::unavailable)?;
    let epoch = answers.get(2).ok_or_else(unintelligible).and_then(epoch);
    Ok((Greeting::read(&answers)?, epoch))
}

/// The number of the topology, from the answer to CLUSTER INFO.
fn epoch(info: &Value) -> Result<String, StoreError> {
    let text = bytes(info).map(String::from_utf8_lossy);
    let text = text.ok_or_else(unintelligible)?;
    if !text.contains("cluster_state:ok") {
        return Err(StoreError::unavailable("the Cluster is down"));
    }
    let epoch = text
        .lines()
        .find_map(|line| line.strip_prefix("cluster_current_epoch:"));
    epoch.map(str::to_owned).ok_or_else(unintelligible)
}
