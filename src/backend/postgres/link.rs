use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::types::Type;

use super::connections::Connections;
use super::subscriber::Subscriber;
use crate::backend::link::{CAPACITY, Ends, Listener, follow};
use crate::random;
use crate::store::{Feed, StoreError};
use crate::time::Timestamp;

/// The longest that a server takes to let somebody listen, and a first probe to come.
const OPENED_WITHIN: Duration = Duration::from_secs(1);
/// The time is read before the probe is in line behind what was committed before.
const PROBE: &str =
    "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, pg_notify($1, $2)";
const DEAF: &str = "the link's connection does not hear what the store announces: it has to be a session \
    at the same server and database; where PgBouncer pools transactions, name a URL that leads past it in `link_url`";

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
        let opening = async {
            let connection = connections.connect_link().await?;
            let changes = &connections.primary.settings.names.channel();
            Subscriber::open(connection, changes, &channel, listener).await
        };
        let opened = timeout(OPENED_WITHIN, opening).await;
        let subscriber = opened.map_err(StoreError::unavailable)??;
        let mut link = Self {
            connections,
            subscriber,
            channel,
        };
        let (_, probe) = link.announce().await?;
        match timeout(OPENED_WITHIN, link.subscriber.hear(&probe)).await {
            Ok(heard) => heard.map(|()| link),
            Err(_) => {
                let _ = timeout(OPENED_WITHIN, link.subscriber.close()).await;
                Err(StoreError::unavailable(DEAF))
            }
        }
    }

    /// Announces a probe as changes are announced, and returns it with the store's time.
    async fn announce(&self) -> Result<(Timestamp, String), StoreError> {
        // Never one that was announced before: one that comes late stands for no other.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let probe = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let words: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&self.channel, Type::TEXT), (&probe, Type::TEXT)];
        let row = self.connections.query_one(PROBE, &words).await?;
        let now: i64 = row.try_get(0).map_err(StoreError::unavailable)?;
        Ok((Timestamp::from_millis(now.max(0) as u64), probe))
    }
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
    let digits = name.iter().map(|byte| format!("{byte:02x}"));
    Ok(format!("wxs_probe_{}", digits.collect::<String>()))
}
