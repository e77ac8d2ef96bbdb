use std::collections::HashSet;
use std::sync::Arc;

use super::connection::Connection;
use super::master::Master;
use super::parallel::first_success;
use super::settings::Settings;
use crate::backend::redis::wire::address::Address;
use crate::backend::redis::wire::cluster_view::{ClusterView, Epoch};
use crate::backend::redis::wire::greeting::Greeting;
use crate::backend::redis::wire::keys::SLOTS;
use crate::backend::redis::wire::slots::Endpoint;
use crate::store::StoreError;
use crate::time::Clock;

/// The masters, and which slots each one has.
pub(crate) struct Routes {
    masters: Vec<Master>,
    /// The last slot of each range and whose it is, in order.
    ranges: Vec<(u16, usize)>,
    /// Who may take a master's place.
    replicas: Vec<Address>,
    epoch: Epoch,
}

impl Routes {
    pub(super) fn of_one(opened: (Connection, Greeting), clock: &Clock) -> Self {
        Self {
            masters: vec![Master::single(opened, clock)],
            ranges: vec![(SLOTS - 1, 0)],
            replicas: Vec::new(),
            epoch: Epoch::default(),
        }
    }

    pub(super) fn of_cluster(
        settings: &Settings,
        clock: &Clock,
        ClusterView {
            ranges: slots,
            epoch,
        }: &ClusterView,
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
                let endpoint = Endpoint::at(&range.address, slots);
                masters.push(Master::new(settings, clock, endpoint, earlier, replaced));
            }
        }
        let replicas = slots.iter().flat_map(|range| &range.replicas);
        let replicas: HashSet<_> = replicas.cloned().collect();
        Self {
            masters,
            ranges,
            replicas: replicas.into_iter().collect(),
            epoch: *epoch,
        }
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

    pub(crate) fn replicas(&self) -> &[Address] {
        &self.replicas
    }

    /// What the server that has named them knew.
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(crate) fn has_all(&self) -> bool {
        let mut masters = self.masters.iter();
        masters.all(|master| master.connection().is_some_and(|open| open.is_usable()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::wire::slots::SlotRange;
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
                replicas: Vec::new(),
            };
            first = last + 1;
            range
        });
        let finder = store.router.finder();
        let view = ClusterView {
            ranges: ranges.collect(),
            epoch: Epoch::default(),
        };
        Routes::of_cluster(&finder.settings, &finder.clock, &view, known)
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
