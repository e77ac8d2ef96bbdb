use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::session_key::SessionKey;

/// What shows WeChat that we have a user's session_key, for calls without a body: the lower-case hex
/// of HMAC-SHA256 over nothing. The key is the session_key's text as received, not decoded.
pub(super) fn sign_nothing(key: &SessionKey) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes());
    let mac = mac.expect("HMAC takes keys of any length");
    let mut hex = String::with_capacity(64);
    for byte in mac.finalize().into_bytes() {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_openssl_says() {
        // openssl dgst -sha256 -hmac 'tiihtNczf5v6AKRyjwEUhQ==' </dev/null
        let signature = sign_nothing(&SessionKey::new("tiihtNczf5v6AKRyjwEUhQ=="));
        let expected = "7154f9f8b4b76b92f541cbf0e37d48840fa06e5e42da92a6f80168a1516a4735";
        assert_eq!(signature, expected);
    }
}
