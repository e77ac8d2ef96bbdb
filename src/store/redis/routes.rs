use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address::{Address, Topology};
use super::connection::{Connection, Settings};
use super::fault::unavailable;
use super::keys::SLOTS;
use super::reply::{Greeting, slots};
use crate::store::StoreError;

/// The longest that one who is asked takes to answer, connecting included.
const ATTEMPTED_WITHIN: Duration = Duration::from_secs(2);

/// The masters, and which slots each one has.
pub(super) struct Routes {
    masters: Vec<Master>,
    /// The last slot of each range and whose it is, in order.
    ranges: Vec<(u16, usize)>,
}

struct Master {
    address: Address,
    connection: Result<Arc<Connection>, StoreError>,
}

impl Routes {
    /// Finds the masters and connects to them. Connections that can still be used are taken over.
    pub(super) async fn find(
        settings: &Settings,
        known: Option<&Self>,
    ) -> Result<(Self, Vec<Greeting>), StoreError> {
        match &settings.location.topology {
            Topology::Standalone(address) => {
                let opened = open_master(settings, address).await?;
                Ok(Self::of_one(opened))
            }
            Topology::Sentinel { sentinels, service } => {
                let opened = open_named(settings, sentinels, service).await?;
                Ok(Self::of_one(opened))
            }
            Topology::Cluster(seeds) => find_cluster(settings, seeds, known).await,
        }
    }

    fn of_one((connection, greeting): (Connection, Greeting)) -> (Self, Vec<Greeting>) {
        let master = Master {
            address: connection.address().clone(),
            connection: Ok(Arc::new(connection)),
        };
        let routes = Self {
            masters: vec![master],
            ranges: vec![(SLOTS - 1, 0)],
        };
        (routes, vec![greeting])
    }

    /// The connection to whoever has the slot, or why there is none.
    pub(super) fn connection(&self, slot: u16) -> Result<Arc<Connection>, StoreError> {
        let range = self.ranges.partition_point(|(last, _)| *last < slot);
        let owner = self.ranges.get(range).map(|(_, owner)| *owner);
        match owner.and_then(|owner| self.masters.get(owner)) {
            Some(master) => master.connection.clone(),
            None => Err(unavailable("no server has the slot")),
        }
    }

    pub(super) fn to(&self, address: &Address) -> Option<Arc<Connection>> {
        let mut masters = self.masters.iter();
        let master = masters.find(|master| master.address == *address)?;
        master.connection.clone().ok()
    }

    /// Any connection that can be used.
    pub(super) fn any(&self) -> Option<Arc<Connection>> {
        let connections = self.masters.iter().flat_map(|master| &master.connection);
        connections
            .into_iter()
            .find(|connection| connection.is_usable())
            .cloned()
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        let masters = self.masters.iter();
        masters.map(|master| master.address.clone()).collect()
    }

    pub(super) fn has_all(&self) -> bool {
        let mut masters = self.masters.iter();
        masters.all(|master| master.connection.as_ref().is_ok_and(|c| c.is_usable()))
    }
}

async fn open_master(
    settings: &Settings,
    address: &Address,
) -> Result<(Connection, Greeting), StoreError> {
    let nothing: Option<fn(_) -> Result<(), Infallible>> = None;
    let (connection, greeting) = Connection::open(settings, address, nothing).await?;
    Ok((connection, greeting.expect_master()?))
}

/// Asks all Sentinels at once, and takes the first server that says itself that it is a master.
async fn open_named(
    settings: &Settings,
    sentinels: &[Address],
    service: &str,
) -> Result<(Connection, Greeting), StoreError> {
    let attempts = sentinels.iter().map(|sentinel| {
        let (settings, sentinel) = (settings.clone(), sentinel.clone());
        let service = service.to_owned();
        async move {
            let asked = Connection::open_sentinel(&settings, &sentinel).await?;
            let address = ask_sentinel(&asked, &service).await?;
            open_master(&settings, &address).await
        }
    });
    first_success(attempts).await
}

async fn ask_sentinel(sentinel: &Connection, service: &str) -> Result<Address, StoreError> {
    let mut question = redis::cmd("SENTINEL");
    question.arg("get-master-addr-by-name").arg(service);
    let answer = sentinel.ask(&question).await.map_err(unavailable)?;
    let answer: Option<(String, u16)> = redis::from_redis_value(answer).map_err(unavailable)?;
    let (host, port) = answer.ok_or_else(|| unavailable("a Sentinel knows no such service"))?;
    Ok(Address { host, port })
}

async fn find_cluster(
    settings: &Settings,
    seeds: &[Address],
    known: Option<&Routes>,
) -> Result<(Routes, Vec<Greeting>), StoreError> {
    let mut ask = known.map(Routes::addresses).unwrap_or_default();
    ask.extend(
        seeds
            .iter()
            .filter(|seed| !ask.contains(seed))
            .cloned()
            .collect::<Vec<_>>(),
    );
    let attempts = ask.into_iter().map(|address| {
        let settings = settings.clone();
        let connection = known.and_then(|known| known.to(&address));
        async move { ask_slots(&settings, &address, connection).await }
    });
    let slots = first_success(attempts).await?;
    connect_all(settings, slots, known).await
}

async fn ask_slots(
    settings: &Settings,
    address: &Address,
    connection: Option<Arc<Connection>>,
) -> Result<Vec<(u16, u16, Address)>, StoreError> {
    let connection = match connection.filter(|connection| connection.is_usable()) {
        Some(connection) => connection,
        None => {
            let nothing: Option<fn(_) -> Result<(), Infallible>> = None;
            Arc::new(Connection::open(settings, address, nothing).await?.0)
        }
    };
    let mut question = redis::cmd("CLUSTER");
    question.arg("SLOTS");
    let answer = connection.ask(&question).await.map_err(unavailable)?;
    let mut slots = slots(&answer, address).map_err(unavailable)?;
    slots.sort_unstable_by_key(|(first, ..)| *first);
    if slots.is_empty() {
        return Err(unavailable("the Cluster has no slots"));
    }
    Ok(slots)
}

async fn connect_all(
    settings: &Settings,
    slots: Vec<(u16, u16, Address)>,
    known: Option<&Routes>,
) -> Result<(Routes, Vec<Greeting>), StoreError> {
    let mut addresses: Vec<Address> = Vec::new();
    let mut ranges = Vec::with_capacity(slots.len());
    for (_, last, address) in slots {
        let owner = addresses.iter().position(|other| *other == address);
        ranges.push((last, owner.unwrap_or(addresses.len())));
        if owner.is_none() {
            addresses.push(address);
        }
    }
    let mut opening = JoinSet::new();
    for (number, address) in addresses.iter().cloned().enumerate() {
        let settings = settings.clone();
        let kept = known.and_then(|known| known.to(&address));
        opening.spawn(async move {
            match kept.filter(|connection| connection.is_usable()) {
                Some(connection) => (number, Ok((connection, None))),
                None => {
                    let opened = open_master(&settings, &address).await;
                    (
                        number,
                        opened.map(|(c, greeting)| (Arc::new(c), Some(greeting))),
                    )
                }
            }
        });
    }
    let mut masters: Vec<_> = addresses.into_iter().map(Master::unconnected).collect();
    let mut greetings = Vec::new();
    while let Some(Ok((number, opened))) = opening.join_next().await {
        masters[number].connection = opened.map(|(connection, greeting)| {
            greetings.extend(greeting);
            connection
        });
    }
    Ok((Routes { masters, ranges }, greetings))
}

impl Master {
    fn unconnected(address: Address) -> Self {
        let connection = Err(unavailable("not connected"));
        Self {
            address,
            connection,
        }
    }
}

/// Makes all attempts at once; the last failure stands for all.
async fn first_success<T: Send + 'static>(
    attempts: impl Iterator<Item = impl Future<Output = Result<T, StoreError>> + Send + 'static>,
) -> Result<T, StoreError> {
    let attempts = attempts.map(|attempt| timeout(ATTEMPTED_WITHIN, attempt));
    let mut running: JoinSet<_> = attempts.collect();
    let mut outcome = Err(unavailable("nobody to ask"));
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(failed)) => outcome = failed,
            Ok(Err(late)) => outcome = Err(unavailable(late)),
            Err(stopped) => outcome = Err(unavailable(stopped)),
        }
    }
    outcome
}
