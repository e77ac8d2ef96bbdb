//! Advisory locks: each is let go of at the end of its transaction, whatever becomes of the client.

use super::names::Names;

/// One for each bucket of users comes first: the bucket of a session is part of its name, so that whose
/// it is need not be found out before.
const BUCKETS: i32 = 1 << 16;
pub(super) const SCHEMA: i32 = BUCKETS;
pub(super) const TAG_KEYS: i32 = BUCKETS + 1;
pub(super) const COLLECTOR: i32 = BUCKETS + 2;

/// The lock of all users of a bucket.
///
/// It is not a row that is locked: a user whose first session is only just kept has none, and one made
/// for the purpose would have to be collected.
pub(super) fn of_bucket(bucket: [u8; 2]) -> i32 {
    i32::from(u16::from_be_bytes(bucket))
}

/// Waits for a lock.
pub(super) fn statement(names: &Names, lock: i32) -> String {
    format!(
        "SELECT pg_advisory_xact_lock({}, {lock})",
        names.lock_space()
    )
}
