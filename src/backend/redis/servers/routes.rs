use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::{Connection, Settings};
use super::location::Topology;
use super::master::{Master, open_master};
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::keys::SLOTS;
use crate::backend::redis::wire::reply::{Greeting, SlotRange, slots};
use crate::store::StoreError;
use crate::time::Clock;

/// The longest that one who is asked takes to answer, connecting included.
const ATTEMPTED_WITHIN: Duration = Duration::from_secs(2);

/// The masters, and which slots each one has.
pub(crate) struct Routes {
    masters: Vec<Master>,
    /// The last slot of each range and whose it is, in order.
    ranges: Vec<(u16, usize)>,
}

impl Routes {
    /// Finds the masters. Connections that can still be used are taken over, the others are being
    /// opened: a server that does not answer keeps nobody from the others.
    pub(crate) async fn find(
        settings: &Settings,
        clock: &Clock,
        known: Option<&Self>,
    ) -> Result<Self, StoreError> {
        match &settings.location.topology {
            Topology::Standalone(address) => {
                let opened = open_master(settings, address).await?;
                Ok(Self::of_one(opened, clock))
            }
            Topology::Sentinel { sentinels, service } => {
                let opened = open_named(settings, sentinels, service).await?;
                Ok(Self::of_one(opened, clock))
            }
            Topology::Cluster(seeds) => {
                let ranges = find_cluster(settings, seeds, known).await?;
                Ok(Self::of_cluster(settings, clock, &ranges, known))
            }
        }
    }

    fn of_one(opened: (Connection, Greeting), clock: &Clock) -> Self {
        Self {
            masters: vec![Master::single(opened, clock)],
            ranges: vec![(SLOTS - 1, 0)],
        }
    }

    fn of_cluster(
        settings: &Settings,
        clock: &Clock,
        slots: &[SlotRange],
        known: Option<&Self>,
    ) -> Self {
        let mut masters: Vec<Master> = Vec::new();
        let mut ranges = Vec::with_capacity(slots.len());
        for range in slots {
            let owner = masters.iter().position(|m| m.address == range.address);
            ranges.push((range.last, owner.unwrap_or(masters.len())));
            if owner.is_none() {
                let named = |master: &&Master| slots.iter().any(|r| r.address == master.address);
                let replaced = known.and_then(|known| known.owner(range.first));
                let replaced = replaced.filter(|master| !named(master));
                let earlier = known.and_then(|known| known.master(&range.address));
                masters.push(Master::new(settings, clock, range, earlier, replaced));
            }
        }
        Self { masters, ranges }
    }

    /// Who has the slot.
    pub(crate) fn owner(&self, slot: u16) -> Option<&Master> {
        let range = self.ranges.partition_point(|(last, _)| *last < slot);
        let (_, owner) = self.ranges.get(range)?;
        self.masters.get(*owner)
    }

    /// The part of the store that has the slot; one of its own for slots that nobody has.
    pub(crate) fn part(&self, slot: u16) -> u64 {
        self.owner(slot).map_or(u64::MAX, |master| master.part)
    }

    fn master(&self, address: &Address) -> Option<&Master> {
        let mut masters = self.masters.iter();
        masters.find(|master| master.address == *address)
    }

    /// The connection to whoever has the slot, or why there is none; it may have to be waited for.
    pub(crate) async fn connection(&self, slot: u16) -> Result<Arc<Connection>, StoreError> {
        match self.owner(slot) {
            Some(master) => master.connected().await,
            None => Err(StoreError::unavailable("no server has the slot")),
        }
    }

    /// The connection to this address, if it is open.
    pub(crate) fn to(&self, address: &Address) -> Option<Arc<Connection>> {
        self.master(address)?.connection()
    }

    /// Any connection that can be used, rather one that does not keep somebody waiting.
    pub(crate) fn any(&self) -> Option<Arc<Connection>> {
        let usable = || {
            let open = self.masters.iter().filter_map(Master::connection);
            open.filter(|connection| connection.is_usable())
        };
        usable()
            .find(|connection| connection.answers())
            .or_else(|| usable().next())
    }

    /// Any connection that can be used, or the first to be opened.
    pub(crate) async fn any_open(&self) -> Result<Arc<Connection>, StoreError> {
        if let Some(open) = self.any() {
            return Ok(open);
        }
        let masters = self.masters.iter().cloned();
        first_success(masters.map(|master| async move { master.connected().await })).await
    }

    pub(crate) fn masters(&self) -> &[Master] {
        &self.masters
    }

    pub(crate) fn addresses(&self) -> Vec<Address> {
        let masters = self.masters.iter();
        masters.map(|master| master.address.clone()).collect()
    }

    pub(crate) fn has_all(&self) -> bool {
        let mut masters = self.masters.iter();
        masters.all(|master| master.connection().is_some_and(|open| open.is_usable()))
    }
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
    let answer = sentinel
        .ask(&question)
        .await
        .map_err(StoreError::unavailable)?;
    let answer: Option<(String, u16)> =
        redis::from_redis_value(answer).map_err(StoreError::unavailable)?;
    let (host, port) =
        answer.ok_or_else(|| StoreError::unavailable("a Sentinel knows no such service"))?;
    Ok(Address { host, port })
}

async fn find_cluster(
    settings: &Settings,
    seeds: &[Address],
    known: Option<&Routes>,
) -> Result<Vec<SlotRange>, StoreError> {
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
    first_success(attempts).await
}

async fn ask_slots(
    settings: &Settings,
    address: &Address,
    connection: Option<Arc<Connection>>,
) -> Result<Vec<SlotRange>, StoreError> {
    let connection = match connection.filter(|connection| connection.is_usable()) {
        Some(connection) => connection,
        None => {
            let nothing: Option<fn(_) -> Result<(), Infallible>> = None;
            Arc::new(Connection::open(settings, address, nothing).await?.0)
        }
    };
    let mut question = redis::cmd("CLUSTER");
    question.arg("SLOTS");
    let answer = connection
        .ask(&question)
        .await
        .map_err(StoreError::unavailable)?;
    let mut slots = slots(&answer, address).map_err(StoreError::unavailable)?;
    slots.sort_unstable_by_key(|range| range.first);
    if slots.is_empty() {
        return Err(StoreError::unavailable("the Cluster has no slots"));
    }
    Ok(slots)
}

/// Makes all attempts at once; the last failure stands for all.
async fn first_success<T: Send + 'static>(
    attempts: impl Iterator<Item = impl Future<Output = Result<T, StoreError>> + Send + 'static>,
) -> Result<T, StoreError> {
    let attempts = attempts.map(|attempt| timeout(ATTEMPTED_WITHIN, attempt));
    let mut running: JoinSet<_> = attempts.collect();
    let mut outcome = Err(StoreError::unavailable("nobody to ask"));
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(failed)) => outcome = failed,
            Ok(Err(late)) => outcome = Err(StoreError::unavailable(late)),
            Err(stopped) => outcome = Err(StoreError::unavailable(stopped)),
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RedisStore;

    fn at(port: u16) -> Address {
        let host = "127.0.0.1".to_owned();
        Address { host, port }
    }

    /// Routes to masters at ports, with all slots up to a last one each.
    fn routes(masters: &[(u16, u16)], known: Option<&Routes>) -> Routes {
        let store = RedisStore::builder("redis+cluster://127.0.0.1:1").build();
        let store = store.unwrap();
        let mut first = 0;
        let ranges = masters.iter().map(|(port, last)| {
            let range = SlotRange {
                first,
                last: *last,
                address: at(*port),
                id: port.to_string(),
            };
            first = last + 1;
            range
        });
        let finder = store.router.finder();
        let ranges: Vec<_> = ranges.collect();
        Routes::of_cluster(&finder.settings, &finder.clock, &ranges, known)
    }

    #[tokio::test]
    async fn whoever_takes_a_master_s_place_is_the_same_part() {
        let before = routes(&[(1, 100), (2, 200), (3, 16_383)], None);
        let parts = [0, 150, 16_383].map(|slot| before.part(slot));
        assert!(parts[0] != parts[1] && parts[1] != parts[2] && parts[0] != parts[2]);
        assert!(!parts.contains(&0), "0 is the store as a whole");

        // 4 has been promoted in the place of 2.
        let after = routes(&[(1, 100), (4, 200), (3, 16_383)], Some(&before));
        assert_eq!([0, 150, 16_383].map(|slot| after.part(slot)), parts);
        // 5 has got some slots of 1, which is still there.
        let later = routes(&[(1, 50), (5, 100), (4, 200), (3, 16_383)], Some(&after));
        assert_eq!([0, 150, 16_383].map(|slot| later.part(slot)), parts);
        assert!(![0, parts[0]].contains(&later.part(100)));
    }

    #[tokio::test]
    async fn a_connection_is_not_opened_again_while_it_is_being_opened() {
        let before = routes(&[(1, 16_383)], None);
        let after = routes(&[(1, 16_383)], Some(&before));
        let [earlier, later] = [&before, &after].map(|routes| routes.owner(0).unwrap());
        assert!(earlier.shares_connection(later));
    }
}
