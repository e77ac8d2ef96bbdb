use super::bytes::{VERSION, corrupt, versioned};
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::token::TagKey;

/// Bytes of one key.
pub(crate) const TAG_KEY_LEN: usize = 26;

/// Version, id, secret, time from which it is usable.
pub(crate) fn encode(key: &TagKey) -> Vec<u8> {
    let mut bytes = vec![VERSION, key.id()];
    bytes.extend(key.expose());
    bytes.extend(key.usable_since().as_millis().to_be_bytes());
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<TagKey, StoreError> {
    versioned(bytes)?;
    let bytes: &[u8; TAG_KEY_LEN] = bytes.try_into().map_err(|_| corrupt())?;
    let secret = std::array::from_fn(|i| bytes[2 + i]);
    let usable_from = std::array::from_fn(|i| bytes[18 + i]);
    let usable_from = Timestamp::from_millis(u64::from_be_bytes(usable_from));
    Ok(TagKey::new(bytes[1], secret).usable_from(usable_from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreErrorKind;

    fn tag_key() -> TagKey {
        TagKey::new(7, [3; 16]).usable_from(Timestamp::from_millis(1 << 40))
    }

    #[test]
    fn a_tag_key_survives_its_bytes() {
        let bytes = encode(&tag_key());
        assert_eq!(decode(&bytes).unwrap(), tag_key());
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn a_newer_version_is_told_from_rubbish() {
        let kind = |bytes: &[u8]| decode(bytes).unwrap_err().kind();
        assert_eq!(kind(&[2]), StoreErrorKind::NewerVersion);
        assert_eq!(kind(&[0]), StoreErrorKind::Corrupt);
    }
}
