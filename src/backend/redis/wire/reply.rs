//! How the values that servers answer with are read.

use redis::{Value, from_redis_value_ref};

use crate::store::StoreError;
use crate::time::Timestamp;

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

/// The first line of a text answer that begins with `name`, without it.
pub(super) fn field<'a>(info: &'a Value, name: &str) -> Result<&'a str, StoreError> {
    let text = bytes(info).and_then(|text| std::str::from_utf8(text).ok());
    let mut lines = text.ok_or_else(unintelligible)?.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.ok_or_else(unintelligible)
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
