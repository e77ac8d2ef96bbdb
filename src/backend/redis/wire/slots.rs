use redis::{RedisResult, Value, from_redis_value_ref};

use super::address::Address;
use super::keys::bucket_slot;
use super::reply::bytes;

/// Slots from the first to the last, and whose they are.
pub(crate) struct SlotRange {
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) address: Address,
    /// The name that the Cluster has for the server.
    pub(crate) id: String,
    /// Who may take the server's place.
    pub(crate) replicas: Vec<Address>,
}

/// Reads the answer to CLUSTER SLOTS of one of the servers.
pub(crate) fn slots(value: &Value, of: &Address) -> RedisResult<Vec<SlotRange>> {
    let ranges: Vec<Vec<Value>> = from_redis_value_ref(value)?;
    let mut slots = Vec::with_capacity(ranges.len());
    for range in ranges {
        let [first, last, master, replicas @ ..] = range.as_slice() else {
            continue;
        };
        let Some((address, id)) = server(master, of)? else {
            continue;
        };
        let replicas = replicas.iter().filter_map(|it| server(it, of).ok()?);
        slots.push(SlotRange {
            first: from_redis_value_ref(first)?,
            last: from_redis_value_ref(last)?,
            address,
            id,
            replicas: replicas.map(|(address, _)| address).collect(),
        });
    }
    Ok(slots)
}

/// Where a server is, and its name.
fn server(value: &Value, of: &Address) -> RedisResult<Option<(Address, String)>> {
    let fields: Vec<Value> = from_redis_value_ref(value)?;
    let [host, port, rest @ ..] = fields.as_slice() else {
        return Ok(None);
    };
    // No name means the one that we know the server by.
    let host = bytes(host)
        .map(String::from_utf8_lossy)
        .filter(|host| !host.is_empty() && host != "?");
    let address = Address {
        host: host.map_or_else(|| of.host.clone(), |host| host.into_owned()),
        port: from_redis_value_ref(port)?,
    };
    let id = rest.first().and_then(bytes).map(String::from_utf8_lossy);
    Ok(Some((address, id.unwrap_or_default().into_owned())))
}

/// What a Cluster has at an address: one server, or all of them behind a proxy that finds the right
/// one.
pub(crate) struct Endpoint {
    pub(crate) address: Address,
    /// The name that the Cluster has for the server; empty if there are several.
    pub(crate) id: String,
    /// One of each server, at least one: a server with so few slots that none is a bucket's has no
    /// sessions.
    pub(crate) buckets: Vec<[u8; 2]>,
}

impl Endpoint {
    pub(crate) fn at(address: &Address, slots: &[SlotRange]) -> Self {
        let here = slots.iter().filter(|range| range.address == *address);
        let mut ids: Vec<&str> = here.map(|range| range.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let buckets = ids.iter().filter_map(|id| bucket_of(address, id, slots));
        let mut buckets: Vec<_> = buckets.collect();
        if buckets.is_empty() {
            buckets.push([0; 2]);
        }
        Self {
            address: address.clone(),
            id: match ids.as_slice() {
                [id] => (*id).to_owned(),
                _ => String::new(),
            },
            buckets,
        }
    }
}

fn bucket_of(address: &Address, id: &str, slots: &[SlotRange]) -> Option<[u8; 2]> {
    let its = slots.iter().filter(|r| r.id == id && r.address == *address);
    let its: Vec<_> = its.map(|range| range.first..=range.last).collect();
    let mut buckets = (0..=u16::MAX).map(u16::to_be_bytes);
    buckets.find(|bucket| {
        its.iter()
            .any(|range| range.contains(&bucket_slot(*bucket)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Address {
        let host = "127.0.0.1".to_owned();
        Address { host, port }
    }

    fn range(first: u16, last: u16, port: u16, id: &str) -> SlotRange {
        SlotRange {
            first,
            last,
            address: at(port),
            id: id.to_owned(),
            replicas: Vec::new(),
        }
    }

    #[test]
    fn a_server_has_its_name_and_a_bucket_of_its_own() {
        let slots = [
            range(0, 99, 1, "a"),
            range(100, 8191, 2, "b"),
            range(8192, 16_383, 1, "a"),
        ];
        let endpoint = Endpoint::at(&at(2), &slots);
        assert_eq!(endpoint.id, "b");
        let [bucket] = endpoint.buckets[..] else {
            panic!("{:?}", endpoint.buckets)
        };
        assert!((100..8192).contains(&bucket_slot(bucket)));
        assert_eq!(Endpoint::at(&at(1), &slots).id, "a");
    }

    #[test]
    fn an_address_of_several_servers_has_no_name_and_a_bucket_of_each() {
        let slots = [
            range(0, 5460, 1, "c"),
            range(5461, 10_922, 1, "a"),
            range(10_923, 16_383, 1, "b"),
        ];
        let endpoint = Endpoint::at(&at(1), &slots);
        assert_eq!(endpoint.id, "");
        let servers = endpoint.buckets.iter().map(|b| bucket_slot(*b) / 5461);
        assert_eq!(servers.collect::<Vec<_>>(), [1, 2, 0]);
    }

    #[test]
    fn a_server_without_a_bucket_needs_no_probe() {
        let is_taken = |slot| {
            let mut buckets = (0..=u16::MAX).map(|bucket| bucket_slot(bucket.to_be_bytes()));
            buckets.any(|taken| taken == slot)
        };
        let free = (1..16_383).find(|slot| !is_taken(*slot)).unwrap();
        let slots = [
            range(0, free - 1, 1, "a"),
            range(free, free, 1, "b"),
            range(free + 1, 16_383, 1, "a"),
        ];
        assert_eq!(Endpoint::at(&at(1), &slots).buckets, [[0; 2]]);
    }
}
