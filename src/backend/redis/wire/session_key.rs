use crate::backend::wire::bytes::{Reader, corrupt, versioned};
use crate::store::{SESSION_KEYS, StoreError};
use crate::time::Timestamp;

/// Where `scripts/put_session_key.lua` keeps session_keys, newest first.
pub(crate) const SESSION_KEY_FIELDS: [&str; SESSION_KEYS] = ["n", "p", "3", "4", "5"];

/// The key in a field that `scripts/put_session_key.lua` wrote, unless it was kept long enough.
pub(crate) fn session_key(field: &[u8], now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
    let mut reader = Reader(versioned(field)?);
    let end = reader.time().ok_or_else(corrupt)?;
    let _fingerprint = reader.take(16).ok_or_else(corrupt)?;
    Ok((now < end).then(|| reader.0.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_key_is_good_until_its_end() {
        let field = [&[1, 0, 0, 0, 0, 0, 9][..], &[5; 16], b"key"].concat();
        let key = |now| session_key(&field, Timestamp::from_millis(now)).unwrap();
        assert_eq!(key(8).as_deref(), Some(b"key".as_slice()));
        assert_eq!(key(9), None);
        for length in 0..23 {
            assert!(session_key(&field[..length], Timestamp::default()).is_err());
        }
    }
}
