use std::ops::RangeInclusive;

use aws_lc_rs::rsa;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::der::{Der, INTEGER, SEQUENCE};
use super::pem;
use super::private_key::PrivateKey;

/// The bytes of a number of 2048 to 8192 bits, of which the first is the sign's.
const MODULUS: RangeInclusive<usize> = 257..=1025;

/// A public RSA key, with which answers are verified.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey(ParsedPublicKey);

impl PublicKey {
    /// Reads `SubjectPublicKeyInfo`, which is the usual form, or PKCS#1.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::from_der(&pem::first(text)?)
    }

    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        // Neither would refuse a key that is too short before it verifies something.
        let key = rsa::PublicKey::from_der(der).ok()?;
        let modulus = Der::new(key.as_ref())
            .take(SEQUENCE)?
            .inner()
            .take(INTEGER)?;
        if !MODULUS.contains(&modulus.content.len()) {
            return None;
        }
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
        key.ok().map(Self)
    }

    /// Whether this is the text's RSA2 signature by the other half of this key.
    pub(crate) fn verifies(&self, text: &str, base64: &str) -> bool {
        let signature = BASE64_STANDARD.decode(base64);
        signature.is_ok_and(|signature| self.0.verify_sig(text.as_bytes(), &signature).is_ok())
    }

    /// Whether both are halves of one key.
    pub(super) fn belongs_to(&self, private: &PrivateKey) -> bool {
        self.verifies("", &private.sign(""))
    }
}
