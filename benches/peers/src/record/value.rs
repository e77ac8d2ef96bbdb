use std::sync::Arc;

use crate::draw::Draw;

/// As long as the names of sessions.
pub(super) type Key = [u8; 18];

/// About as much as a session is; it knows its name, as a session does.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) key: Key,
    #[allow(dead_code, reason = "takes room")]
    rest: [u8; 282],
}

pub(crate) type Value = Arc<Entry>;

/// The one with this number.
pub(crate) fn value(number: usize) -> Value {
    Arc::new(Entry {
        key: key(number),
        rest: [1; 282],
    })
}

/// As random as a digest.
pub(super) fn key(number: usize) -> Key {
    let mut draw = Draw::new(number as u64);
    let mut key = [0; 18];
    key[..8].copy_from_slice(&draw.next().to_le_bytes());
    key[8..16].copy_from_slice(&draw.next().to_le_bytes());
    key
}

/// A part of a key, which is random as it is.
pub(super) fn hash(key: &Key) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *key;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
