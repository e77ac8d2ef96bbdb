use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::advice::Stage;
use super::connection::Connection;
use super::fault::failed;
use super::finder::Finder;
use super::handshake::add_words;
use super::master::Master;
use super::pushes;
use super::settings::Settings;
use super::subscriber::Subscriber;
use crate::backend::link::Listener;
use crate::backend::redis::wire::greeting::Greeting;
use crate::backend::redis::wire::info::topology_epoch;
use crate::backend::redis::wire::keys::Keys;
use crate::backend::redis::wire::reply::unintelligible;
use crate::store::StoreError;

/// The longest that a master takes to take a subscription, and to answer to a first heartbeat.
const SUBSCRIBED_WITHIN: Duration = Duration::from_secs(1);

/// A link's end at one master, or at the one address of several.
pub(super) struct LinkEnd {
    pub(super) connection: Arc<Connection>,
    /// Hears what the connection itself cannot, or does not vouch for.
    subscriber: Option<Subscriber>,
    /// The name that the Cluster had for the master when the link was opened.
    id: String,
    /// One key of each server at the address.
    keys: Vec<String>,
}

/// What a master says at a heartbeat.
pub(super) struct Pulse {
    pub(super) end: LinkEnd,
    pub(super) greeting: Greeting,
    /// Its number for the topology of its Cluster, if it takes part in one.
    pub(super) epoch: Result<String, StoreError>,
}

impl LinkEnd {
    /// Connects and subscribes; what is published from then on is heard.
    pub(super) async fn open(
        finder: Arc<Finder>,
        master: Master,
        listener: Listener,
    ) -> Result<Self, StoreError> {
        let (settings, address) = (&finder.settings, &master.address);
        let keys = &settings.keys;
        let pushed = pushes::pass_on(listener.clone());
        let (connection, greeting) = Connection::open(settings, address, Some(pushed)).await?;
        greeting.expect_master()?;
        let channels = channels(settings, &master.id);
        let mut end = Self {
            connection: Arc::new(connection),
            subscriber: None,
            id: master.id.clone(),
            keys: keys.probes(&master.buckets),
        };
        let subscribing = async {
            // What one of several servers publishes may come late, or never, whatever the address
            // answers meanwhile: only a probe of each says that.
            let is_one = end.keys.len() == 1;
            if is_one && end.connection.protocol().has_pushes {
                let subscribed = end.connection.subscribe(&channels).await;
                subscribed.map_err(|error| failed(error, Stage::Server(address), settings))?;
            } else {
                let own = keys.own_channel()?;
                let opening = Subscriber::open(settings, address, &channels, own, listener);
                end.subscriber = Some(opening.await?);
            }
            // A heartbeat that is refused says why here; later it only ends the link.
            end.pulse(Arc::clone(&finder)).await
        };
        let first = timeout(SUBSCRIBED_WITHIN, subscribing).await;
        Ok(first.map_err(StoreError::unavailable)??.end)
    }

    /// Has the master say whether it is still one, its time, and what it knows of the Cluster.
    pub(super) async fn pulse(mut self, finder: Arc<Finder>) -> Result<Pulse, StoreError> {
        let settings = &finder.settings;
        let role_by = self.connection.protocol().role_by;
        let mut commands = redis::pipe();
        add_words(&mut commands, role_by.words());
        commands.cmd("TIME");
        if settings.location.is_cluster() {
            commands.cmd("CLUSTER").arg("INFO");
        }
        let answers = self.connection.query_all(&commands).await;
        let at = Stage::Server(self.connection.address());
        let answers = answers.map_err(|error| failed(error, at, settings))?;
        let greeting = Greeting::read(role_by, &answers)?;
        let epoch = answers.get(2).ok_or_else(unintelligible);
        let epoch = epoch.and_then(topology_epoch);
        if greeting.is_master {
            // After the time was read, never before: what is published between the two is heard
            // before the heartbeat that says this time.
            self.catch_up().await?;
        }
        Ok(Pulse {
            end: self,
            greeting,
            epoch,
        })
    }

    /// Returns when all that was published before has been passed on. Where the messages of one
    /// server come on the connection itself, every answer says as much.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        match &mut self.subscriber {
            Some(subscriber) => subscriber.catch_up(&self.connection, &self.keys).await,
            None => Ok(()),
        }
    }

    pub(super) fn is_at(&self, master: &Master) -> bool {
        *self.connection.address() == master.address && self.id == master.id
    }

    /// Slots may have moved between the servers at the address.
    pub(super) fn follow(&mut self, keys: &Keys, master: &Master) {
        self.keys = keys.probes(&master.buckets);
    }
}

/// The common channel and the master's own. Nodes without `announce_per_master` publish on the first, and
/// so does whoever is not sure that all links reach this master.
fn channels(settings: &Settings, id: &str) -> Vec<String> {
    let (keys, database) = (&settings.keys, settings.location.database);
    let own = (!id.is_empty()).then(|| keys.channel_of(database, id));
    [keys.channel(database)].into_iter().chain(own).collect()
}
