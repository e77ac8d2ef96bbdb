use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;

use super::refused::Refused;

/// HMAC-SHA256, with its key in it.
pub(in crate::platform) type Mac = Hmac<Sha256>;

pub(in crate::platform) fn keyed(key: &[u8]) -> Mac {
    Mac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// Compares in constant time.
pub(in crate::platform) fn verify(key: &Mac, text: &str, mac: &[u8]) -> Result<(), Refused> {
    let computed = key.clone().chain_update(text);
    computed.verify_slice(mac).map_err(|_| Refused::Signature)
}
