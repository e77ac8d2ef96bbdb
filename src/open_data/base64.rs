//! Base64 as it comes from the field.

use ::base64::Engine;
use ::base64::alphabet::STANDARD;
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::OpenDataErrorKind;

/// Takes a missing `=`, and nothing that stands for no bytes at all.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) const BLOCK: usize = 16;

/// Decodes 16 bytes, such as a key or an initial vector.
pub(crate) fn decode_block(text: &str) -> Result<[u8; BLOCK], OpenDataErrorKind> {
    let bytes = decode(text.trim_end()).ok_or(OpenDataErrorKind::BadBase64)?;
    bytes.try_into().map_err(|_| OpenDataErrorKind::BadLength)
}

/// Decodes a positive multiple of 16 bytes.
pub(super) fn decode_blocks(text: &str) -> Result<Vec<u8>, OpenDataErrorKind> {
    let is_whole = |bytes: &Vec<u8>| !bytes.is_empty() && bytes.len().is_multiple_of(BLOCK);
    let problem = match decode(text.trim_end()) {
        Some(bytes) if is_whole(&bytes) => return Ok(bytes),
        Some(_) => OpenDataErrorKind::BadLength,
        None => OpenDataErrorKind::BadBase64,
    };
    // A space at the very end was a `+` where only that makes the blocks whole.
    decode(text).filter(is_whole).ok_or(problem)
}

/// Line breaks go, a space was a `+` before a form was decoded, and both alphabets are taken.
fn decode(text: &str) -> Option<Vec<u8>> {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let standard = text.bytes().filter(|byte| !is_break(byte));
    let standard = standard.map(|byte| match byte {
        b' ' | b'-' => b'+',
        b'_' => b'/',
        other => other,
    });
    DECODER.decode(standard.collect::<Vec<u8>>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 48 bytes, so that there is no padding, and a `+` at the very end.
    const THREE_BLOCKS: &str = "++//abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567";
    /// 16 bytes.
    const ONE_BLOCK: &str = "r7BXXKkLb8+rSNn05n0/iA==";

    #[test]
    fn each_form_of_the_field_stands_for_the_same_bytes() {
        let bytes = decode_block(ONE_BLOCK).unwrap();
        for form in [
            "r7BXXKkLb8-rSNn05n0_iA==",
            "r7BXXKkLb8 rSNn05n0/iA==",
            "r7BXXKkLb8+rSNn05n0/iA",
            "r7BXXKkLb8+rSNn05n0/iA=",
            "r7BXXKkL\r\nb8+rSNn0\n5n0/iA==\r\n",
            "r7BXXKkLb8+rSNn05n0/iA== \t",
            "r7BXXKkLb8 rSNn05n0_iA \n",
        ] {
            assert_eq!(decode_block(form), Ok(bytes), "{form:?}");
            assert_eq!(decode_blocks(form), Ok(bytes.to_vec()), "{form:?}");
        }
    }

    #[test]
    fn a_space_at_either_end_was_a_plus_where_the_length_says_so() {
        for end in ["A+", "++"] {
            let sent = format!("{}{end}", &THREE_BLOCKS[..62]);
            let bytes = decode_blocks(&sent).unwrap();
            assert_eq!(decode_blocks(&sent.replace('+', " ")), Ok(bytes));
        }
        let bytes = decode_blocks(THREE_BLOCKS);
        assert_eq!(decode_blocks(&format!("{THREE_BLOCKS}  ")), bytes);
    }

    #[test]
    fn what_is_no_base64_is_told_from_what_is_not_whole() {
        use OpenDataErrorKind::{BadBase64, BadLength};
        for (text, problem) in [
            ("", BadLength),
            (" \n", BadLength),
            ("r7BXXKkLb8", BadBase64),
            ("r7BXXKkLb8+rSNn05n0/", BadLength),
            ("r7BXXKkLb8+rSNn05n0/iA===", BadBase64),
            ("r7BX=XKkLb8+rSNn05n0/iA", BadBase64),
            ("r7BXXKkLb8%2BrSNn05n0/iA==", BadBase64),
            // Bits left over: no encoder writes that.
            ("r7BXXKkLb8+rSNn05n0/iB==", BadBase64),
            ("r7BXXKkLb8+rSNn05n0/iA==é", BadBase64),
            ("r7BXXKkLb8+rSNn05n0/\u{0}A==", BadBase64),
        ] {
            assert_eq!(decode_blocks(text), Err(problem), "{text:?}");
        }
        // The length of a key for AES-192.
        let long = "tiihtNczf5v6AKRyjwEUhQtiihtNczf5";
        assert_eq!(decode_block(long), Err(BadLength));
    }
}
