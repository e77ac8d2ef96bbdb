use redis::{RedisResult, Value, from_redis_value_ref};

use super::address::Address;
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
