use md5::{Digest, Md5};

use super::der::{Der, Element, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, SET};
use super::pem;
use super::public_key::PublicKey;
use crate::hex;

/// The explicit tag of the version, which certificates of version 1 leave out.
const VERSION: u8 = 0xa0;

/// What the object identifiers of all RSA signatures begin with: 1.2.840.113549.1.1.
const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];

/// What Alipay looks at in an X.509 certificate.
///
/// Nothing is verified here: these files are configuration, and Alipay checks the serial numbers.
pub(super) struct Certificate {
    serial: String,
    issuer: String,
    is_rsa_signed: bool,
    public_key: Vec<u8>,
}

impl Certificate {
    /// The certificates of a file, in their order.
    pub(super) fn parse_all(text: &str) -> Option<Vec<Self>> {
        let blocks = pem::blocks(text)?;
        blocks.iter().map(|der| Self::from_der(der)).collect()
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        let mut certificate = Der::new(der).take(SEQUENCE)?.inner();
        let mut signed = certificate.take(SEQUENCE)?.inner();
        signed.skip(VERSION);
        let serial = signed.take(INTEGER)?.content;
        let algorithm = signed.take(SEQUENCE)?.inner().take(OBJECT_IDENTIFIER)?;
        let issuer = signed.take(SEQUENCE)?.inner();
        let (_validity, _subject) = (signed.take(SEQUENCE)?, signed.take(SEQUENCE)?);
        Some(Self {
            serial: decimal(serial)?,
            issuer: name(issuer)?,
            is_rsa_signed: algorithm.content.starts_with(&RSA),
            public_key: signed.take(SEQUENCE)?.whole.to_owned(),
        })
    }

    pub(super) fn public_key(&self) -> Option<PublicKey> {
        PublicKey::from_der(&self.public_key)
    }

    /// The serial number as Alipay counts them: the MD5 of the issuer and the number, in hex.
    pub(super) fn sn(&self) -> String {
        hex::encode(&Md5::digest(format!("{}{}", self.issuer, self.serial)))
    }
}

/// The serial numbers of those that are signed with RSA, of which there has to be one: Alipay's file of
/// root certificates has others, too.
pub(super) fn root_sn(roots: &[Certificate]) -> Option<String> {
    let signed = roots.iter().filter(|root| root.is_rsa_signed);
    let serials: Vec<String> = signed.map(Certificate::sn).collect();
    (!serials.is_empty()).then(|| serials.join("_"))
}

/// A name such as `CN=a,OU=b,O=c,C=d`: the attributes in reverse order, nothing escaped.
fn name(mut sets: Der<'_>) -> Option<String> {
    let mut attributes = Vec::new();
    while !sets.is_empty() {
        let mut set = sets.take(SET)?.inner();
        while !set.is_empty() {
            attributes.push(attribute(set.take(SEQUENCE)?)?);
        }
    }
    attributes.reverse();
    Some(attributes.join(","))
}

fn attribute(element: Element<'_>) -> Option<String> {
    let mut parts = element.inner();
    let key = match parts.take(OBJECT_IDENTIFIER)?.content {
        [0x55, 0x04, 0x03] => "CN",
        [0x55, 0x04, 0x06] => "C",
        [0x55, 0x04, 0x07] => "L",
        [0x55, 0x04, 0x08] => "ST",
        [0x55, 0x04, 0x0a] => "O",
        [0x55, 0x04, 0x0b] => "OU",
        _ => return None,
    };
    let value = str::from_utf8(parts.next()?.content).ok()?;
    Some(format!("{key}={value}"))
}

/// An unsigned number of any length, in decimal.
fn decimal(bytes: &[u8]) -> Option<String> {
    let is_negative = bytes.first()? & 0x80 != 0;
    let mut digits = vec![0];
    for &byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += *digit * 256;
            (*digit, carry) = (carry % 10, carry / 10);
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    let text = digits
        .iter()
        .rev()
        .filter_map(|&digit| char::from_digit(digit, 10));
    (!is_negative).then(|| text.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::alipay::fixtures::vectors;

    #[test]
    fn a_number_of_any_length_has_decimal_digits() {
        for (bytes, text) in [
            (&[0][..], "0"),
            (&[9], "9"),
            (&[0, 255], "255"),
            (&[1, 0], "256"),
            (&[0x7f; 16], "169473963133173273960190490760135540607"),
        ] {
            assert_eq!(decimal(bytes).unwrap(), text);
        }
        assert_eq!(decimal(&[0x80]), None);
        assert_eq!(decimal(&[]), None);
    }

    #[test]
    fn serial_numbers_are_those_of_the_published_sdks() {
        for vector in vectors()["certificates"].as_array().unwrap() {
            let all = Certificate::parse_all(vector["pem"].as_str().unwrap()).unwrap();
            match vector["root_sn"].as_str() {
                Some(sn) => assert_eq!(root_sn(&all).unwrap(), sn, "{}", vector["name"]),
                None => assert_eq!(all[0].sn(), vector["sn"], "{}", vector["name"]),
            }
        }
    }

    #[test]
    fn whatever_comes_is_a_certificate_or_none() {
        let pem = vectors()["certificates"][0]["pem"].take();
        let der = pem::first(pem.as_str().unwrap()).unwrap();
        for at in 0..der.len() {
            assert!(Certificate::from_der(&der[..at]).is_none(), "{at} bytes");
            for flip in [0x01, 0x7f, 0x80, 0xff] {
                let mut other = der.clone();
                other[at] ^= flip;
                if let Some(other) = Certificate::from_der(&other) {
                    other.sn();
                    other.public_key();
                }
            }
        }
    }
}
