use super::base64::{BLOCK, decode_block, decode_blocks};
use super::cipher::{Decrypted, decrypt};
use super::error::{OpenDataError, OpenDataErrorKind};
use crate::session_key::SessionKey;

/// What the client sent, decoded.
pub(super) struct Sealed {
    iv: [u8; BLOCK],
    blocks: Vec<u8>,
}

impl Sealed {
    pub(super) fn decode(encrypted_data: &str, iv: &str) -> Result<Self, OpenDataError> {
        let about = |name: &'static str| move |kind| OpenDataError::from(kind).caused_by(name);
        Ok(Self {
            blocks: decode_blocks(encrypted_data).map_err(about("encryptedData"))?,
            iv: decode_block(iv).map_err(about("iv"))?,
        })
    }

    /// Decrypts it with a user's key; an error if that is no key of 128 bits.
    pub(super) fn decrypt(&self, key: &SessionKey) -> Result<Decrypted, OpenDataErrorKind> {
        let key = decode_block(key.expose());
        let key = key.map_err(|_| OpenDataErrorKind::UnsupportedSessionKey)?;
        Ok(decrypt(key, self.iv, &self.blocks))
    }
}
