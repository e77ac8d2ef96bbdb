use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use redis::{PushInfo, PushKind};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::address::{Address, Topology};
use super::connection::Connection;
use super::fault::unavailable;
use super::finder::Finder;
use super::reply::{Greeting, bytes, unintelligible};
use super::{Keys, message};
use crate::store::{Feed, FeedEvent, FeedSender, StoreError, Timestamp};

/// Events that a node may be behind before its link ends.
const CAPACITY: usize = 1024;
const BEAT_EVERY: Duration = Duration::from_millis(500);
/// The longest that all masters together take to answer.
const BEAT_WITHIN: Duration = Duration::from_secs(1);

/// Opens a link: one connection to each master, on which it is told of changes and asked for the
/// time.
///
/// An answer to a question comes after all that was told before it, so a heartbeat vouches for
/// everything up to then. The link ends with the first doubt.
pub(super) async fn open(finder: &Arc<Finder>, keys: &Keys) -> Result<Feed, StoreError> {
    let masters = finder.all().await?.addresses();
    let (sender, feed) = Feed::channel(CAPACITY);
    let doubt = Arc::new(Notify::new());
    let channel = keys.channel(finder.settings.location.database);
    let mut connections = Vec::with_capacity(masters.len());
    for address in masters {
        let pushed = forward(sender.clone(), Arc::clone(&doubt));
        let opened = Connection::open(&finder.settings, &address, Some(pushed));
        let (connection, greeting) = opened.await?;
        greeting.expect_master()?;
        let subscribed = connection.subscribe(&channel).await;
        subscribed.map_err(unavailable)?;
        connections.push(connection);
    }
    let link = Link {
        finder: Arc::clone(finder),
        connections,
        epoch: None,
    };
    tokio::spawn(link.follow(sender, doubt));
    Ok(feed)
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
    connections: Vec<Connection>,
    /// What the Cluster numbers its topology with.
    epoch: Option<String>,
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
            self.finder.clock.learn(now);
            if !sender.send(FeedEvent::Heartbeat(now)) {
                return;
            }
            tokio::select! {
                () = sleep(BEAT_EVERY) => {}
                () = doubt.notified() => return,
            }
        }
    }

    /// Asks every master whether it is still one, and the time.
    async fn beat(&mut self) -> Result<Timestamp, StoreError> {
        let mut latest = Timestamp::default();
        for connection in &self.connections {
            let mut question = redis::pipe();
            question.cmd("HELLO").cmd("TIME");
            let answers = connection.ask_all(&question).await;
            let greeting = Greeting::read(&answers.map_err(unavailable)?)?;
            if !greeting.is_master {
                self.finder.give_up(connection.address());
            }
            latest = latest.max(greeting.expect_master()?.now);
        }
        if let Topology::Cluster(_) = &self.finder.settings.location.topology {
            self.watch_topology().await?;
        }
        Ok(latest)
    }

    /// Fails if a master has joined that this link does not reach.
    async fn watch_topology(&mut self) -> Result<(), StoreError> {
        let mut epochs = Vec::with_capacity(self.connections.len());
        for connection in &self.connections {
            epochs.push(epoch(connection).await?);
        }
        let epoch = epochs.join(" ");
        if self.epoch.as_ref() != Some(&epoch) {
            let routes = self.finder.search_anew().await?;
            if !routes.addresses().iter().all(|master| self.reaches(master)) {
                return Err(unavailable("a master has joined the Cluster"));
            }
            self.epoch = Some(epoch);
        }
        Ok(())
    }

    fn reaches(&self, master: &Address) -> bool {
        let mut connections = self.connections.iter();
        connections.any(|connection| connection.address() == master)
    }
}

/// What a server of a Cluster knows of the topology's number, if it takes part.
async fn epoch(connection: &Connection) -> Result<String, StoreError> {
    let mut question = redis::cmd("CLUSTER");
    question.arg("INFO");
    let answer = connection.ask(&question).await.map_err(unavailable)?;
    let text = bytes(&answer).map(String::from_utf8_lossy);
    let text = text.ok_or_else(unintelligible)?;
    if !text.contains("cluster_state:ok") {
        return Err(unavailable("the Cluster is down"));
    }
    let epoch = text
        .lines()
        .find_map(|line| line.strip_prefix("cluster_current_epoch:"));
    epoch.map(str::to_owned).ok_or_else(unintelligible)
}
