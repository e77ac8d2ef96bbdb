use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::types::Type;

use super::columns::Time;
use super::connection::Parameter;
use super::connections::Connections;
use super::pipeline::Pipeline;
use super::server::Server;
use super::settings::Settings;
use super::subscriber::Subscriber;
use crate::backend::link::{CAPACITY, Ends, Listener, follow};
use crate::store::{Feed, StoreError};
use crate::time::Timestamp;
use crate::{hex, random};

/// The longest that a server takes to let somebody listen, to take a first probe, and to pass it on.
const STEP_WITHIN: Duration = Duration::from_secs(1);
/// The time is read before the probe gets in line behind all that was committed before.
const PROBE: &str = "SELECT clock_timestamp(), pg_notify($1, $2)";
const DEAF: &str = "the link's connection does not hear what the store announces: it has to be a \
    session of its own, at the same server and database. Where PgBouncer pools transactions, give \
    PostgresStoreBuilder::link_url a URL that leads past it";

/// Opens a link: a connection that hears what is announced, and probes on those that announce.
///
/// It is not open before a probe was heard: a node trusts what it reads from then on, and no change
/// after that read may go past it.
pub(super) async fn open(connections: &Arc<Connections>) -> Result<Feed, StoreError> {
    let (sender, feed) = Feed::channel(CAPACITY);
    let listener = Listener::new(sender);
    let link = Link::open(Arc::clone(connections), listener.clone()).await?;
    tokio::spawn(follow(link, connections.primary.clock.clone(), listener));
    Ok(feed)
}

struct Link {
    connections: Arc<Connections>,
    subscriber: Subscriber,
    /// Where probes are announced, and nothing else is.
    channel: String,
}

impl Link {
    async fn open(connections: Arc<Connections>, listener: Listener) -> Result<Self, StoreError> {
        let channel = own_channel()?;
        let changes = connections.primary.settings.names.channel();
        let connection = connections.connect_link().await?;
        let servers = &connections.primary.settings.link_servers;
        let subscribing = Subscriber::open(connection, [&changes, &channel], listener);
        let mut link = Self {
            subscriber: step(servers, subscribing).await?,
            connections: Arc::clone(&connections),
            channel,
        };
        let (_, probe) = step(servers, link.announce()).await?;
        match timeout(STEP_WITHIN, link.subscriber.hear(&probe)).await {
            Ok(heard) => heard.map(|()| link),
            Err(_) => {
                link.subscriber.give_up().await;
                Err(StoreError::unavailable(DEAF))
            }
        }
    }

    /// Announces a probe the way that changes take; returns it with the server's time.
    async fn announce(&self) -> Result<(Timestamp, String), StoreError> {
        // None is ever announced again: one that comes late stands for no other.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let probe = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let words: [Parameter<'_>; 2] = [(&self.channel, Type::TEXT), (&probe, Type::TEXT)];
        // It has a place of its own and is cancelled after `STEP_WITHIN`: a commit that waits for a standby, and has
        // all that is announced wait behind it, would keep one connection after the other.
        let probing = Pipeline::begin().then(PROBE, &words).commit();
        let answers = self.connections.probe(probing).await?;
        let row = answers.first().and_then(|rows| rows.first());
        let now = row.and_then(|row| row.try_get::<_, Time>(0).ok());
        now.map(|now| (now.0, probe))
            .ok_or_else(|| StoreError::unavailable("the server's answer lacks its time"))
    }
}

async fn step<T>(
    servers: &[Server],
    step: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let done = timeout(STEP_WITHIN, step).await;
    done.unwrap_or_else(|_| Err(Settings::no_answer(servers)))
}

impl Ends for Link {
    async fn beat(&mut self) -> Result<Timestamp, StoreError> {
        let (now, probe) = self.announce().await?;
        self.subscriber.hear(&probe).await?;
        Ok(now)
    }
}

/// A channel that nobody else listens to.
fn own_channel() -> Result<String, StoreError> {
    let mut name = [0; 16];
    random::fill(&mut name).map_err(StoreError::unavailable)?;
    Ok(format!("wxs_probe_{}", hex::encode(&name)))
}
