//! Values with a checksum: a file's pages are checked as a whole when it is opened, and these again
//! whenever they are read.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::backend::wire::bytes::corrupt;
use crate::store::StoreError;

const CHECKSUM: usize = 8;

/// A value as it is kept under a key.
pub(super) fn seal(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&checksum(key, value)[..], value].concat()
}

/// The value again, unless it or its key was damaged.
pub(super) fn open<'a>(key: &[u8], kept: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let (sum, value) = kept.split_at_checked(CHECKSUM).ok_or_else(corrupt)?;
    if sum == checksum(key, value) {
        Ok(value)
    } else {
        Err(corrupt())
    }
}

fn checksum(key: &[u8], value: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = SipHasher13::new();
    hasher.write(key);
    hasher.write(value);
    hasher.finish().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bit_that_changes_is_noticed() {
        let kept = seal(b"key", b"value");
        assert_eq!(open(b"key", &kept).unwrap(), b"value");
        assert!(open(b"kez", &kept).is_err());
        for bit in 0..8 * kept.len() {
            let mut damaged = kept.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(b"key", &damaged).is_err(), "bit {bit}");
        }
        for length in 0..kept.len() {
            assert!(open(b"key", &kept[..length]).is_err());
        }
    }
}
