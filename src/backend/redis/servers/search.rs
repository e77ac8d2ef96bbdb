//! How the masters are found.

use std::sync::Arc;

use super::advice::Stage;
use super::connection::{Connection, NO_PUSHES};
use super::fault::{failed, misconfigured};
use super::location::Topology;
use super::master::open_master;
use super::parallel::first_success;
use super::routes::Routes;
use super::settings::Settings;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::greeting::Greeting;
use crate::backend::redis::wire::slots::{SlotRange, slots};
use crate::store::StoreError;
use crate::time::Clock;

/// Finds the masters. Connections that can still be used are taken over, the others are being
/// opened: a server that does not answer keeps nobody from the others.
pub(super) async fn find(
    settings: &Settings,
    clock: &Clock,
    known: Option<&Routes>,
) -> Result<Routes, StoreError> {
    match &settings.location.topology {
        Topology::Standalone(address) => {
            let opened = open_master(settings, address).await?;
            Ok(Routes::of_one(opened, clock))
        }
        Topology::Sentinel { sentinels, service } => {
            let opened = open_named(settings, sentinels, service).await?;
            Ok(Routes::of_one(opened, clock))
        }
        Topology::Cluster(seeds) => {
            let ranges = find_cluster(settings, seeds, known).await?;
            Ok(Routes::of_cluster(settings, clock, &ranges, known))
        }
    }
}

/// Queries all Sentinels at once, and takes the first server that says itself that it is a master.
async fn open_named(
    settings: &Settings,
    sentinels: &[Address],
    service: &str,
) -> Result<(Connection, Greeting), StoreError> {
    let attempts = sentinels.iter().map(|sentinel| {
        let (settings, sentinel) = (settings.clone(), sentinel.clone());
        let service = service.to_owned();
        async move {
            let sentinel = Connection::open_sentinel(&settings, &sentinel).await?;
            let address = query_sentinel(&settings, &sentinel, &service).await?;
            open_master(&settings, &address).await
        }
    });
    first_success(attempts).await
}

async fn query_sentinel(
    settings: &Settings,
    sentinel: &Connection,
    service: &str,
) -> Result<Address, StoreError> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(service);
    let answer = sentinel.query(&command).await;
    let at = Stage::Server(sentinel.address());
    let answer = answer.map_err(|error| failed(error, at, settings))?;
    let answer: Option<(String, u16)> =
        redis::from_redis_value(answer).map_err(StoreError::unavailable)?;
    let Some((host, port)) = answer else {
        let advice =
            format!("the Sentinel watches no service {service:?}: see the path of the URL");
        return Err(misconfigured(sentinel.address(), advice));
    };
    Ok(Address { host, port })
}

/// Takes the first answer of all servers that are known or were configured.
async fn find_cluster(
    settings: &Settings,
    seeds: &[Address],
    known: Option<&Routes>,
) -> Result<Vec<SlotRange>, StoreError> {
    let mut addresses = known.map(Routes::addresses).unwrap_or_default();
    let new = seeds.iter().filter(|seed| !addresses.contains(seed));
    addresses.extend(new.cloned().collect::<Vec<_>>());
    let attempts = addresses.into_iter().map(|address| {
        let settings = settings.clone();
        let connection = known.and_then(|known| known.to(&address));
        async move { query_slots(&settings, &address, connection).await }
    });
    first_success(attempts).await
}

async fn query_slots(
    settings: &Settings,
    address: &Address,
    connection: Option<Arc<Connection>>,
) -> Result<Vec<SlotRange>, StoreError> {
    let connection = match connection.filter(|connection| connection.is_usable()) {
        Some(connection) => connection,
        None => Arc::new(Connection::open(settings, address, NO_PUSHES).await?.0),
    };
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let answer = connection.query(&command).await;
    let answer = answer.map_err(|error| failed(error, Stage::Server(address), settings))?;
    let mut slots = slots(&answer, address).map_err(StoreError::unavailable)?;
    slots.sort_unstable_by_key(|range| range.first);
    if slots.is_empty() {
        return Err(StoreError::unavailable("the Cluster has no slots"));
    }
    Ok(slots)
}
