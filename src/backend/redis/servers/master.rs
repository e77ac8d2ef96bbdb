use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::advice::A_REPLICA;
use super::connection::{Connection, NO_PUSHES};
use super::examination::examine;
use super::fault::misconfigured;
use super::location::Topology;
use super::settings::Settings;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::greeting::Greeting;
use crate::backend::redis::wire::slots::Endpoint;
use crate::store::StoreError;
use crate::time::Clock;

/// A server that has slots.
#[derive(Clone)]
pub(crate) struct Master {
    pub(crate) address: Address,
    /// The name that a Cluster has for it; empty elsewhere, and where one address stands for several.
    pub(crate) id: String,
    /// One of each server at the address.
    pub(crate) buckets: Vec<[u8; 2]>,
    /// Which part of the store it is; a server that takes another's place takes its number too.
    pub(crate) part: u64,
    /// Since when this node knows it.
    since: Instant,
    connection: Connecting,
}

/// A connection, once it is open, or why there is none: whoever needs it waits for it, and nobody
/// else.
///
/// The value goes from `None` to an outcome once and stays. The sender is with the task that opens
/// the connection, and is dropped when that has ended: without an outcome, if its runtime was shut
/// down.
type Connecting = watch::Receiver<Option<Result<Arc<Connection>, StoreError>>>;

impl Master {
    /// The one server that there is.
    pub(crate) fn single((connection, greeting): (Connection, Greeting), clock: &Clock) -> Self {
        clock.follow(greeting.now);
        Self {
            address: connection.address().clone(),
            id: String::new(),
            buckets: vec![[0; 2]],
            part: 0,
            since: Instant::now(),
            connection: watch::channel(Some(Ok(Arc::new(connection)))).1,
        }
    }

    /// A server that another one has named, and that has no slot that we know of.
    pub(crate) fn named(settings: &Settings, clock: &Clock, address: &Address) -> Self {
        Self {
            address: address.clone(),
            id: String::new(),
            buckets: vec![[0; 2]],
            part: new_part(),
            since: Instant::now(),
            connection: connect(settings.clone(), clock.clone(), address.clone()),
        }
    }

    /// A server that a Cluster has named, as it was known `earlier`, and the one that it has
    /// `replaced`, if any.
    pub(crate) fn new(
        settings: &Settings,
        clock: &Clock,
        endpoint: Endpoint,
        earlier: Option<&Self>,
        replaced: Option<&Self>,
    ) -> Self {
        let address = endpoint.address;
        let part = earlier.or(replaced).map(|master| master.part);
        let is_same = |master: &&Self| master.id == endpoint.id;
        // Another server at the same address is as good as new: its own channel has another name,
        // which links have not subscribed to yet.
        let since = earlier.filter(is_same).map(|master| master.since);
        // Also one that is still being opened: searches come as often as every 50 ms, and
        // connecting to one that is cut off takes a second.
        let kept = earlier.filter(|master| master.is_connected_or_connecting());
        let connection = match kept {
            Some(kept) => kept.connection.clone(),
            None => connect(settings.clone(), clock.clone(), address.clone()),
        };
        Self {
            part: part.unwrap_or_else(new_part),
            id: endpoint.id,
            buckets: endpoint.buckets,
            since: since.unwrap_or_else(Instant::now),
            address,
            connection,
        }
    }

    /// Whether this node has known the server for so long.
    pub(crate) fn is_known_for(&self, span: Duration) -> bool {
        self.since.elapsed() >= span
    }

    /// The connection, if it is open.
    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        // What is borrowed holds a lock that the outcome waits for: it is let go before any `await`.
        let state = self.connection.borrow();
        state.as_ref()?.as_ref().ok().cloned()
    }

    /// The connection, once it is open.
    pub(crate) async fn connected(&self) -> Result<Arc<Connection>, StoreError> {
        // A receiver of its own: one that is dropped while it waits takes nothing from the others,
        // and an outcome that is there already is seen at once.
        let mut opening = self.connection.clone();
        let opened = opening.wait_for(Option::is_some).await;
        match opened.as_deref() {
            Ok(Some(opened)) => opened.clone(),
            // The runtime that it was opened in has ended.
            _ => Err(StoreError::unavailable("connecting has ended")),
        }
    }

    #[cfg(test)]
    pub(crate) fn shares_connection(&self, other: &Self) -> bool {
        self.connection.same_channel(&other.connection)
    }

    /// Whether it makes sense to take the connection over into new routes.
    pub(crate) fn is_connected_or_connecting(&self) -> bool {
        match &*self.connection.borrow() {
            Some(opened) => opened.as_ref().is_ok_and(|open| open.is_usable()),
            // Without a sender there will be no outcome: nobody must begin to wait for it.
            None => self.connection.has_changed().is_ok(),
        }
    }
}

/// Opens a connection, detached from whoever needs it first: others need it, too, and must not lose
/// it when the first one is dropped at its deadline.
fn connect(settings: Settings, clock: Clock, address: Address) -> Connecting {
    let (outcome, connecting) = watch::channel(None);
    tokio::spawn(async move {
        let opened = open_master(&settings, &address).await;
        let opened = opened.map(|(connection, greeting)| {
            clock.follow(greeting.now);
            Arc::new(connection)
        });
        // The clock is set before: whoever gets the connection has the server's time as well. All
        // receivers may be gone by now, so nothing depends on whether anybody takes it.
        outcome.send_replace(Some(opened));
    });
    connecting
}

/// A number for a part of the store that no other has; 0 is the store as a whole.
fn new_part() -> u64 {
    // Any ordering will do: that each number is given once is a matter of the addition alone.
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Connects to a server that is a master, and all that the store needs.
pub(crate) async fn open_master(
    settings: &Settings,
    address: &Address,
) -> Result<(Connection, Greeting), StoreError> {
    let (connection, greeting) = Connection::open(settings, address, NO_PUSHES).await?;
    if !greeting.is_master && matches!(settings.location.topology, Topology::Standalone(_)) {
        return Err(misconfigured(address, A_REPLICA));
    }
    let greeting = greeting.expect_master()?;
    examine(&connection, settings).await?;
    Ok((connection, greeting))
}
