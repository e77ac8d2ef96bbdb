use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use crate::session_key::SessionKey;

/// Whether the key has signed what the client shows as `rawData`: SHA-1 over the data and the key's text.
pub(super) fn has_signed_raw_data(key: &SessionKey, raw_data: &str, signature: [u8; 20]) -> bool {
    let own = Sha1::new()
        .chain_update(raw_data)
        .chain_update(key.expose())
        .finalize();
    own.ct_eq(&signature).into()
}
