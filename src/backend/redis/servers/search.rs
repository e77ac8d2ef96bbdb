//! How the masters are found.

use std::sync::Arc;

use super::advice::Stage;
use super::connection::{Connection, NO_PUSHES};
use super::fault::{failed, misconfigured};
use super::location::Topology;
use super::master::open_master;
use super::parallel::{best_success, first_success};
use super::routes::Routes;
use super::settings::Settings;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::cluster_view::{ClusterView, Epoch};
use crate::backend::redis::wire::greeting::Greeting;
use crate::backend::redis::wire::slots::slots;
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
            let view = find_cluster(settings, seeds, known).await?;
            Ok(Routes::of_cluster(settings, clock, &view, known))
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
    let at = Stage::ConnectingToSentinel(sentinel.address());
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

/// Asks all masters that are known and all servers that were configured; if none answers, those that
/// may have taken the masters' places.
async fn find_cluster(
    settings: &Settings,
    seeds: &[Address],
    known: Option<&Routes>,
) -> Result<ClusterView, StoreError> {
    let mut addresses = known.map(Routes::addresses).unwrap_or_default();
    let new = seeds.iter().filter(|seed| !addresses.contains(seed));
    addresses.extend(new.cloned().collect::<Vec<_>>());
    match best_view(settings, addresses, known).await {
        Err(_) if known.is_some_and(|known| !known.replicas().is_empty()) => {
            let replicas = known.map(Routes::replicas).unwrap_or_default();
            best_view(settings, replicas.to_vec(), known).await
        }
        found => found,
    }
}

/// Takes the first answer that does not fall behind what is known.
async fn best_view(
    settings: &Settings,
    addresses: Vec<Address>,
    known: Option<&Routes>,
) -> Result<ClusterView, StoreError> {
    let enough = known.map_or(Epoch::default(), Routes::epoch).enough();
    let attempts = addresses.into_iter().map(|address| {
        let settings = settings.clone();
        let connection = known.and_then(|known| known.to(&address));
        async move { query_view(&settings, &address, connection).await }
    });
    best_success(attempts, |view| view.epoch, enough).await
}

async fn query_view(
    settings: &Settings,
    address: &Address,
    connection: Option<Arc<Connection>>,
) -> Result<ClusterView, StoreError> {
    let connection = match connection.filter(|connection| connection.is_usable()) {
        Some(connection) => connection,
        None => Arc::new(Connection::open(settings, address, NO_PUSHES).await?.0),
    };
    let [mut info, mut ranges] = [redis::cmd("CLUSTER"), redis::cmd("CLUSTER")];
    let queries = (
        connection.query(info.arg("INFO")),
        connection.query(ranges.arg("SLOTS")),
    );
    let (info, answer) = tokio::join!(queries.0, queries.1);
    let answer = answer.map_err(|error| failed(error, Stage::Server(address), settings))?;
    let mut ranges = slots(&answer, address).map_err(StoreError::unavailable)?;
    ranges.sort_unstable_by_key(|range| range.first);
    if ranges.is_empty() {
        return Err(StoreError::unavailable("the Cluster has no slots"));
    }
    let epoch = Epoch::read(info.ok().as_ref());
    Ok(ClusterView { ranges, epoch })
}
