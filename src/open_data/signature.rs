use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use crate::session_key::SessionKey;

/// Bytes written as hex, in lower or upper case.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let bytes: Option<Vec<u8>> = pairs.iter().map(from_pair).collect();
    bytes?.try_into().ok()
}

fn from_pair([high, low]: &[u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

/// Whether the key has signed what the client shows as `rawData`: SHA-1 over the data and the key's text.
pub(super) fn has_signed_raw_data(key: &SessionKey, raw_data: &str, signature: [u8; 20]) -> bool {
    let own = Sha1::new()
        .chain_update(raw_data)
        .chain_update(key.expose())
        .finalize();
    own.ct_eq(&signature).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_taken_in_either_case_and_nothing_else() {
        assert_eq!(from_hex("00ffA5a5"), Some([0, 255, 165, 165]));
        for text in [
            "",
            "00ffA5a",
            "00ffA5a5a5",
            "00ffA5a5 ",
            "0x0ffA5a",
            "00ffA5ag",
            "+0ffA5a5",
            "é0ffA5a",
        ] {
            assert_eq!(from_hex::<4>(text), None, "{text:?}");
        }
    }
}
