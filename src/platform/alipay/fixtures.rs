//! What the tests need: the vectors that published SDKs agree on, and fresh keys.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::der::{Der, INTEGER, SEQUENCE};

pub(super) static APP: LazyLock<Pair> = LazyLock::new(Pair::generate);
pub(super) static ALIPAY: LazyLock<Pair> = LazyLock::new(Pair::generate);

/// Both halves of a key in all forms, each as one line.
pub(super) struct Pair {
    pub(super) pkcs8: String,
    pub(super) pkcs1: String,
    pub(super) spki: String,
    pub(super) public_pkcs1: String,
}

impl Pair {
    fn generate() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let mut inner = Der::new(pkcs8.as_ref()).take(SEQUENCE).unwrap().inner();
        let (_version, _algorithm) = (inner.take(INTEGER), inner.take(SEQUENCE));
        let pkcs1 = inner.next().unwrap().content;
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        Self {
            pkcs8: BASE64_STANDARD.encode(pkcs8.as_ref()),
            pkcs1: BASE64_STANDARD.encode(pkcs1),
            spki: BASE64_STANDARD.encode(spki.as_ref()),
            public_pkcs1: BASE64_STANDARD.encode(pair.public_key().as_ref()),
        }
    }
}

pub(super) fn vectors() -> Value {
    let text = include_str!("../../../tests/platforms/vectors.json");
    serde_json::from_str::<Value>(text).unwrap()["alipay"].take()
}
