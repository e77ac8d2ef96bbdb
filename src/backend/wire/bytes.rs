//! How numbers and text are written in a record.

use crate::store::{StoreError, StoreErrorKind};
use crate::time::Timestamp;

/// The end of time, in the 48 bits that a Lua number holds exactly.
pub(crate) const LATEST: u64 = (1 << 48) - 1;
/// Characters of a session's name.
#[cfg(any(feature = "file", feature = "postgres", feature = "redis"))]
pub(crate) const ID_LEN: usize = 24;

/// What is kept beside records begins with this.
pub(crate) const VERSION: u8 = 1;

/// What follows the version.
pub(crate) fn versioned(bytes: &[u8]) -> Result<&[u8], StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some((&version, _)) if version > VERSION => {
            Err(StoreError::new(StoreErrorKind::NewerVersion))
        }
        _ => Err(corrupt()),
    }
}

/// Bytes that nobody has written.
pub(crate) const fn corrupt() -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt)
}

/// A session's name from its text.
#[cfg(any(feature = "file", feature = "postgres", feature = "redis"))]
pub(crate) fn session_id(text: &[u8]) -> Option<crate::token::SessionId> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub(crate) fn put_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

pub(crate) fn put_time(bytes: &mut Vec<u8>, time: Timestamp) {
    put_u48(bytes, time.as_millis());
}

pub(crate) fn put_u48(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend(&number.min(LATEST).to_be_bytes()[2..]);
}

/// Takes a record apart.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    pub(crate) fn u48(&mut self) -> Option<u64> {
        let taken = self.take(6)?;
        Some(
            taken
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    }

    pub(crate) fn time(&mut self) -> Option<Timestamp> {
        self.u48().map(Timestamp::from_millis)
    }

    #[cfg(any(feature = "file", feature = "redis"))]
    pub(crate) fn time_or_none(&mut self) -> Option<Option<Timestamp>> {
        let time = self.u48()?;
        Some((time != 0).then(|| Timestamp::from_millis(time)))
    }

    fn length(&mut self) -> Option<usize> {
        let mut length = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(length);
            }
        }
        None
    }

    /// Bytes after their length.
    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    #[cfg(any(feature = "file", feature = "redis"))]
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}
