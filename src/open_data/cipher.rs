//! AES-128-CBC with the padding of PKCS#7.

use aes::Aes128;
use cbc::Decryptor;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater};

use super::base64::BLOCK;

/// What came out of a decryption, and whether its padding is right.
pub(super) struct Decrypted {
    bytes: Vec<u8>,
    len: usize,
    /// Looked at last: nobody can tell from outside whether the padding or the text is wrong.
    pub(super) is_padded: Choice,
}

/// Decrypts whole blocks.
pub(super) fn decrypt(key: [u8; BLOCK], iv: [u8; BLOCK], blocks: &[u8]) -> Decrypted {
    let mut bytes = blocks.to_vec();
    let mut decryptor = Decryptor::<Aes128>::new(&key.into(), &iv.into());
    for block in bytes.as_chunks_mut::<BLOCK>().0 {
        decryptor.decrypt_block(block.into());
    }
    let (padding, is_padded) = padding(&bytes);
    Decrypted {
        len: bytes.len().saturating_sub(padding),
        bytes,
        is_padded,
    }
}

impl Decrypted {
    /// All of it where the padding is wrong.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// How much padding there is, and whether it is right; in constant time.
fn padding(bytes: &[u8]) -> (usize, Choice) {
    let Some(last) = bytes.last_chunk::<BLOCK>() else {
        return (0, Choice::from(0));
    };
    let padding = last[BLOCK - 1];
    let mut is_padded = padding.ct_gt(&0) & !padding.ct_gt(&16);
    for (place, byte) in (0_u8..).zip(last.iter().rev()) {
        let is_text = !padding.ct_gt(&place);
        is_padded &= is_text | byte.ct_eq(&padding);
    }
    let padding = u8::conditional_select(&0, &padding, is_padded);
    (padding.into(), is_padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn padding_of(bytes: &[u8]) -> Option<usize> {
        let (padding, is_padded) = padding(bytes);
        assert!(bool::from(is_padded) || padding == 0);
        bool::from(is_padded).then_some(padding)
    }

    #[test]
    fn each_length_of_padding_is_found() {
        for len in 1..=16_u8 {
            let mut bytes = vec![7; 32];
            let text = bytes.len() - usize::from(len);
            bytes[text..].fill(len);
            assert_eq!(padding_of(&bytes), Some(len.into()));
            for wrong in text..31 {
                let mut bytes = bytes.clone();
                bytes[wrong] ^= 0x80;
                assert_eq!(padding_of(&bytes), None, "{len} {wrong}");
            }
        }
    }

    #[test]
    fn a_length_beyond_a_block_is_no_padding() {
        for last in [0, 17, 18, 128, 255] {
            assert_eq!(padding_of(&[last; 32]), None, "{last}");
        }
        assert_eq!(padding_of(&[]), None);
    }
}
