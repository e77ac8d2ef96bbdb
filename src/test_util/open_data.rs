use aes::Aes128;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cbc::Encryptor;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use sha2::{Digest, Sha256};

use crate::open_data::{OpenDataError, OpenDataErrorKind, decode_block};
use crate::session_key::SessionKey;

/// Encrypts a text as a platform does: `encryptedData` and `iv`, as a client would send them.
///
/// The same key and text give the same answer. The text is taken as it is, so that it may hold another
/// app's watermark, or none.
///
/// ```
/// use tower_wx_session::{SessionKey, open_data::OpenData, test_util};
///
/// # fn main() -> Result<(), tower_wx_session::open_data::OpenDataError> {
/// let key = SessionKey::new("tiihtNczf5v6AKRyjwEUhQ==");
/// let now = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_767_225_600);
/// let text = r#"{"opengid":"G1","watermark":{"appid":"wx1","timestamp":1767225600}}"#;
/// let (encrypted_data, iv) = test_util::encrypt_open_data(&key, text)?;
///
/// let data: serde_json::Value = OpenData::new(key, "wx1").at(now).decrypt(&encrypted_data, &iv)?;
/// assert_eq!(data["opengid"], "G1");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`UnsupportedSessionKey`](OpenDataErrorKind::UnsupportedSessionKey) if the key is not base64 of 16 bytes.
pub fn encrypt_open_data(key: &SessionKey, text: &str) -> Result<(String, String), OpenDataError> {
    let key = decode_block(key.expose()).map_err(|_| OpenDataErrorKind::UnsupportedSessionKey)?;
    let digest = Sha256::digest(text);
    let iv: [u8; 16] = std::array::from_fn(|place| digest[place]);
    let mut bytes = padded(text);
    let mut encryptor = Encryptor::<Aes128>::new(&key.into(), &iv.into());
    for block in bytes.as_chunks_mut::<16>().0 {
        encryptor.encrypt_block(block.into());
    }
    Ok((BASE64_STANDARD.encode(bytes), BASE64_STANDARD.encode(iv)))
}

fn padded(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let padding = 16 - bytes.len() % 16;
    bytes.resize(bytes.len() + padding, padding as u8);
    bytes
}
