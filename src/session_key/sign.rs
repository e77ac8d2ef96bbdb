use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::SessionKey;
use crate::hex;

impl SessionKey {
    /// Signs a message for an API of the platform: HMAC-SHA256 as lower-case hex.
    ///
    /// The key is the text as received, without decoding its base64. The message is the body of a
    /// POST request exactly as it is sent, and empty for a GET such as WeChat's `checksession`.
    ///
    /// ```
    /// use tower_wx_session::SessionKey;
    ///
    /// let key = SessionKey::new("o0q0otL8aEzpcZL/FT9WsQ==");
    /// assert_eq!(
    ///     key.sign(br#"{"foo":"bar"}"#),
    ///     "654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b",
    /// );
    ///
    /// // The example of Douyin's page on the user's signature.
    /// let key = SessionKey::new("724edcafc423d167724edcbe");
    /// assert_eq!(
    ///     key.sign(br#"{"foo":"bar"}"#),
    ///     "44b5092fa1c9adba03803239934d4958b8a1840adf0cee8d5e95c1cf5d495e0e",
    /// );
    /// ```
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        hex::encode(&self.mac(message).finalize().into_bytes())
    }

    /// Whether it has signed the message; in constant time.
    #[cfg(feature = "crypto")]
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.mac(message).verify_slice(signature).is_ok()
    }

    fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::new_from_slice(self.0.as_bytes());
        mac.expect("HMAC takes a key of any length")
            .chain_update(message)
    }
}
