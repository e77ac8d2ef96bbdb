use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};

use crate::identity::Identity;
use crate::random;
use crate::session_key::SessionKey;
use crate::store::StoreError;

const VERSION: u8 = 1;
/// Long enough to be random for any number of keys.
const NONCE_LEN: usize = 24;

/// Seals session_keys for a store that other processes can read: XChaCha20-Poly1305, bound to
/// the user.
#[derive(Clone)]
pub(crate) struct Seal(XChaCha20Poly1305);

impl Seal {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(&key.into()))
    }

    /// Version, nonce, sealed key.
    pub(super) fn seal(&self, user: &Identity, key: &SessionKey) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce).map_err(StoreError::unavailable)?;
        let payload = Payload {
            msg: key.expose().as_bytes(),
            aad: &bound_to(user),
        };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|error| StoreError::unavailable(error.to_string()))?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// `None` if it was not sealed with this key for this user.
    pub(super) fn open(&self, user: &Identity, sealed: &[u8]) -> Option<SessionKey> {
        let (&VERSION, rest) = sealed.split_first()? else {
            return None;
        };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let payload = Payload {
            msg: sealed,
            aad: &bound_to(user),
        };
        let key = self.0.decrypt(&XNonce::from(*nonce), payload).ok()?;
        String::from_utf8(key).ok().map(SessionKey::new)
    }
}

fn bound_to(user: &Identity) -> Vec<u8> {
    let appid_len = (user.appid().len() as u64).to_be_bytes();
    let (appid, openid) = (user.appid().as_bytes(), user.openid().as_bytes());
    [b"session_key".as_slice(), &appid_len, appid, openid].concat()
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_user_open_it() {
        let (seal, other) = (Seal::new([7; 32]), Seal::new([8; 32]));
        let (user, key) = (Identity::new("appid", "openid"), SessionKey::new("secret"));
        let sealed = seal.seal(&user, &key).unwrap();
        assert_eq!(seal.open(&user, &sealed), Some(key.clone()));
        assert_eq!(other.open(&user, &sealed), None);
        for neighbour in [
            Identity::new("appido", "penid"),
            Identity::new("appid", "other"),
        ] {
            assert_eq!(seal.open(&neighbour, &sealed), None);
        }
        assert_ne!(sealed, seal.seal(&user, &key).unwrap(), "the nonce");
    }

    #[test]
    fn whatever_is_damaged_stays_shut() {
        let seal = Seal::new([7; 32]);
        let user = Identity::new("appid", "openid");
        let sealed = seal.seal(&user, &SessionKey::new("secret")).unwrap();
        for position in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[position] ^= 1;
            assert_eq!(seal.open(&user, &damaged), None, "byte {position}");
            assert_eq!(seal.open(&user, &sealed[..position]), None);
        }
    }

    #[test]
    fn the_key_cannot_print() {
        assert_eq!(format!("{:?}", Seal::new([171; 32])), "Seal(..)");
    }
}
