use std::error::Error;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::block_api::compress256;

use super::LEN as TOKEN_LEN;

const BUCKET_LEN: usize = 2;
const LEN: usize = 18;
const TEXT_LEN: usize = 24;
/// FIPS 180-4 §5.3.3: the fractional parts of the square roots of the first eight primes.
const INITIAL_STATE: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The public name of a session: safe to show, to store and to log.
///
/// It is the user's bucket and the first 128 bits of SHA-256 over the token's bytes, so it says
/// nothing about the token, and it is all that stores and caches know of it. Its text is 24
/// characters of base64url.
///
/// ```
/// use tower_wx_session::SessionId;
///
/// let id: SessionId = "AAECAwQFBgcICQoLDA0ODxAR".parse()?;
/// assert_eq!(id.to_string(), "AAECAwQFBgcICQoLDA0ODxAR");
/// assert!("not an id".parse::<SessionId>().is_err());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId([u8; LEN]);

impl SessionId {
    #[inline]
    pub(super) fn digest(token: &[u8; TOKEN_LEN], bucket: [u8; BUCKET_LEN]) -> Self {
        let [a, b, c, d, ..] = sha256(token);
        let mut bytes = [0; LEN];
        bytes[..2].copy_from_slice(&bucket);
        bytes[2..6].copy_from_slice(&a.to_be_bytes());
        bytes[6..10].copy_from_slice(&b.to_be_bytes());
        bytes[10..14].copy_from_slice(&c.to_be_bytes());
        bytes[14..].copy_from_slice(&d.to_be_bytes());
        Self(bytes)
    }

    /// The name as bytes: 2 of the user's bucket, 16 of the token's digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 18] {
        &self.0
    }

    /// A name from its bytes, as a store keeps them.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 18]) -> Self {
        Self(bytes)
    }

    /// The bucket of the user whose session it is; see [`Identity::bucket`](crate::Identity::bucket).
    #[must_use]
    pub const fn bucket(&self) -> [u8; 2] {
        [self.0[0], self.0[1]]
    }
}

/// SHA-256 of a message of a token's length, which fits into one block with its padding (FIPS
/// 180-4 §5.1.1): a third faster than the general way, on the path of every request.
#[inline]
fn sha256(token: &[u8; TOKEN_LEN]) -> [u32; 8] {
    let mut block = [0; 64];
    block[..TOKEN_LEN].copy_from_slice(token);
    block[TOKEN_LEN] = 0x80;
    block[56..].copy_from_slice(&(8 * TOKEN_LEN as u64).to_be_bytes());
    let mut state = INITIAL_STATE;
    compress256(&mut state, &[block]);
    state
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; TEXT_LEN];
        let len = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).unwrap_or(0);
        f.write_str(std::str::from_utf8(&text[..len]).unwrap_or_default())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl FromStr for SessionId {
    type Err = ParseSessionIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; LEN];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(LEN) => Ok(Self(bytes)),
            _ => Err(ParseSessionIdError {}),
        }
    }
}

impl TryFrom<String> for SessionId {
    type Error = ParseSessionIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.to_string()
    }
}

/// The text is not a [`SessionId`]: 24 characters of base64url were expected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseSessionIdError {}

impl fmt::Display for ParseSessionIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a session id: expected 24 characters of base64url")
    }
}

impl Error for ParseSessionIdError {}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_name_is_the_bucket_and_the_digest() {
        for byte in [0, 1, 0x80, 0xff] {
            let token = [byte; TOKEN_LEN];
            let id = SessionId::digest(&token, [1, 2]);
            assert_eq!(id.bucket(), [1, 2]);
            assert_eq!(id.as_bytes()[2..], Sha256::digest(token)[..16]);
        }
    }
}
