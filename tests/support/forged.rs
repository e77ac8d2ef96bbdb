//! Tokens as an attacker writes them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A token that nobody has issued: it names any key, and one of a few buckets.
pub fn forged(key: u8, number: u32) -> String {
    let mut token = [0x5A; 44];
    token[0] = 1;
    token[1] = key;
    token[2..4].copy_from_slice(&[0, (number % 3) as u8]);
    token[4..8].copy_from_slice(&number.to_be_bytes());
    format!("wxs_{}", URL_SAFE_NO_PAD.encode(token))
}

/// The key that a token names.
pub fn key_of(token: &str) -> u8 {
    URL_SAFE_NO_PAD.decode(&token[4..]).unwrap()[1]
}
