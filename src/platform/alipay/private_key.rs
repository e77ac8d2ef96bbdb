use std::fmt;

#[cfg(feature = "test-util")]
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
#[cfg(feature = "test-util")]
use aws_lc_rs::signature::KeyPair;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::pem;

/// The app's private RSA key, with which its requests are signed.
pub(crate) struct PrivateKey(RsaKeyPair);

impl PrivateKey {
    /// Reads PKCS#8, which Alipay's tools make for Java, or PKCS#1, for all others.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let der = pem::first(text)?;
        let pair = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der));
        pair.ok().map(Self)
    }

    /// The RSA2 signature of a text (SHA256withRSA, PKCS#1 v1.5), in base64.
    pub(crate) fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .expect(
                "a key that was read can sign, and the signature has the length of its modulus",
            );
        BASE64_STANDARD.encode(signature)
    }
}

#[cfg(feature = "test-util")]
impl PrivateKey {
    /// The other half, as one line.
    pub(crate) fn public_key(&self) -> String {
        let der: PublicKeyX509Der<'_> =
            (self.0.public_key().as_der()).expect("a key that was read has a public half");
        BASE64_STANDARD.encode(der.as_ref())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}
