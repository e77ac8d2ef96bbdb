//! What servers answer.

use redis::{RedisResult, Value, from_redis_value_ref};

use super::address::Address;
use crate::store::StoreError;
use crate::time::Timestamp;

/// Who a server is, and its time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Greeting {
    pub(crate) is_master: bool,
    pub(crate) now: Timestamp,
}

impl Greeting {
    /// Reads the answers to HELLO and TIME.
    pub(crate) fn read(answers: &[Value]) -> Result<Self, StoreError> {
        let (Some(hello), Some(time)) = (answers.first(), answers.get(1)) else {
            return Err(unintelligible());
        };
        let role = hello
            .as_map_iter()
            .into_iter()
            .flatten()
            .find(|(name, _)| bytes(name) == Some(b"role"))
            .and_then(|(_, role)| bytes(role))
            .ok_or_else(unintelligible)?;
        Ok(Self {
            is_master: role == b"master",
            now: time_of(time)?,
        })
    }

    pub(crate) fn expect_master(self) -> Result<Self, StoreError> {
        if self.is_master {
            Ok(self)
        } else {
            Err(StoreError::unavailable("the server is not a master"))
        }
    }
}

/// An answer that makes no sense says nothing of a session.
pub(crate) fn unintelligible() -> StoreError {
    StoreError::unavailable("unintelligible answer of the server")
}

pub(crate) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.as_bytes()),
        _ => None,
    }
}

pub(crate) fn items(value: &Value) -> Result<&[Value], StoreError> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(unintelligible()),
    }
}

/// Reads the answer to TIME.
pub(crate) fn time_of(value: &Value) -> Result<Timestamp, StoreError> {
    let (seconds, micros): (u64, u64) =
        from_redis_value_ref(value).map_err(|_| unintelligible())?;
    let millis = seconds.checked_mul(1000);
    let millis = millis.and_then(|millis| millis.checked_add(micros / 1000));
    millis
        .map(Timestamp::from_millis)
        .ok_or_else(unintelligible)
}

/// Slots from the first to the last, and whose they are.
pub(crate) struct SlotRange {
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) address: Address,
    /// The name that the Cluster has for the server.
    pub(crate) id: String,
}

/// Reads the answer to CLUSTER SLOTS.
pub(crate) fn slots(value: &Value, asked: &Address) -> RedisResult<Vec<SlotRange>> {
    let ranges: Vec<Vec<Value>> = from_redis_value_ref(value)?;
    let mut slots = Vec::with_capacity(ranges.len());
    for range in ranges {
        let [first, last, master, ..] = range.as_slice() else {
            continue;
        };
        let master: Vec<Value> = from_redis_value_ref(master)?;
        let [host, port, rest @ ..] = master.as_slice() else {
            continue;
        };
        // No name means the one that we know the server by.
        let host = bytes(host)
            .map(String::from_utf8_lossy)
            .filter(|host| !host.is_empty() && host != "?");
        let address = Address {
            host: host.map_or_else(|| asked.host.clone(), |host| host.into_owned()),
            port: from_redis_value_ref(port)?,
        };
        let id = rest.first().and_then(bytes).map(String::from_utf8_lossy);
        slots.push(SlotRange {
            first: from_redis_value_ref(first)?,
            last: from_redis_value_ref(last)?,
            address,
            id: id.unwrap_or_default().into_owned(),
        });
    }
    Ok(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_no_clock_shows_is_no_time() {
        let time = |seconds: &str| {
            let part = |text: &str| Value::BulkString(text.as_bytes().to_vec());
            time_of(&Value::Array(vec![part(seconds), part("1000")]))
        };
        assert_eq!(time("2").unwrap(), Timestamp::from_millis(2001));
        assert!(time("18446744073709551615").is_err());
        assert!(time("18446744073709552").is_err());
    }
}
