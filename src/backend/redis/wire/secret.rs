//! The bytes of what is kept beside sessions: session_keys and keys of tags.

use super::bytes::{Reader, corrupt};
use crate::store::{SESSION_KEYS, StoreError, StoreErrorKind};
use crate::time::Timestamp;
use crate::token::TagKey;

const VERSION: u8 = 1;
const TAG_KEY_LEN: usize = 26;

/// Where `scripts/put_session_key.lua` keeps session_keys, newest first.
pub(crate) const SESSION_KEY_FIELDS: [&str; SESSION_KEYS] = ["n", "p", "3", "4", "5"];

/// The key in a field that `scripts/put_session_key.lua` wrote, unless it was kept long enough.
pub(crate) fn session_key(field: &[u8], now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
    let mut reader = Reader(versioned(field)?);
    let end = reader.time().ok_or_else(corrupt)?;
    let _fingerprint = reader.take(16).ok_or_else(corrupt)?;
    Ok((now < end).then(|| reader.0.to_vec()))
}

/// Version, id, secret, time from which it is usable.
pub(crate) fn encode_tag_key(key: &TagKey) -> Vec<u8> {
    let mut bytes = vec![VERSION, key.id()];
    bytes.extend(key.expose());
    bytes.extend(key.usable_since().as_millis().to_be_bytes());
    bytes
}

pub(crate) fn decode_tag_key(bytes: &[u8]) -> Result<TagKey, StoreError> {
    versioned(bytes)?;
    let bytes: &[u8; TAG_KEY_LEN] = bytes.try_into().map_err(|_| corrupt())?;
    let secret = std::array::from_fn(|i| bytes[2 + i]);
    let usable_from = std::array::from_fn(|i| bytes[18 + i]);
    let usable_from = Timestamp::from_millis(u64::from_be_bytes(usable_from));
    Ok(TagKey::new(bytes[1], secret).usable_from(usable_from))
}

fn versioned(bytes: &[u8]) -> Result<&[u8], StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some((&version, _)) if version > VERSION => {
            Err(StoreError::new(StoreErrorKind::NewerVersion))
        }
        _ => Err(corrupt()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag_key() -> TagKey {
        TagKey::new(7, [3; 16]).usable_from(Timestamp::from_millis(1 << 40))
    }

    #[test]
    fn a_tag_key_survives_its_bytes() {
        let bytes = encode_tag_key(&tag_key());
        assert_eq!(decode_tag_key(&bytes).unwrap(), tag_key());
        for length in 0..bytes.len() {
            assert!(decode_tag_key(&bytes[..length]).is_err());
        }
    }

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

    #[test]
    fn a_newer_version_is_told_from_rubbish() {
        let kind = |bytes: &[u8]| decode_tag_key(bytes).unwrap_err().kind();
        assert_eq!(kind(&[2]), StoreErrorKind::NewerVersion);
        assert_eq!(kind(&[0]), StoreErrorKind::Corrupt);
    }
}
