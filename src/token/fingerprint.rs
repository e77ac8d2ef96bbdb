use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use polyval::Polyval;
use polyval::universal_hash::UniversalHash;

use super::{PREFIX, TEXT_LEN};
use crate::random;

/// What POLYVAL takes at a time.
const BLOCK: usize = 16;

/// What a node finds the session of a presented token by: a keyed hash of the token's text.
///
/// It means nothing to another node, or to this one after a restart. Stores never see it: they know
/// sessions by [`SessionId`](super::SessionId).
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Fingerprint(u128);

impl Fingerprint {
    /// A part of it, as good as random.
    #[inline]
    pub(crate) const fn low(self) -> u32 {
        self.0 as u32
    }

    #[cfg(any(test, feature = "test-util"))]
    pub(crate) const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    #[cfg(feature = "test-util")]
    pub(crate) const fn to_bits(self) -> u128 {
        self.0
    }
}

/// The secret behind the fingerprints of a node: random, and kept nowhere else.
///
/// The hash is POLYVAL (RFC 8452 §3), a polynomial over GF(2¹²⁸): of the secret's 2¹²⁸ values no more
/// than four give two texts of four blocks the same fingerprint. So whoever does not know the secret
/// finds a text that passes for a given session with a chance of 2⁻¹²⁶ a try.
///
/// Nor is the secret enough: whose text passes for a session has to know that session's fingerprint,
/// and with it 128 bits that stem from the 256 random ones of its token.
pub(crate) struct FingerprintKey(Polyval);

impl FingerprintKey {
    /// `None` if the system has no randomness to give.
    pub(crate) fn random() -> Option<Self> {
        let mut secret = [0; BLOCK];
        random::fill(&mut secret).ok()?;
        Some(Self(Polyval::new(&secret.into())))
    }

    /// Of what has the length and the prefix of a token: the table has nothing else.
    #[inline]
    pub(crate) fn of(&self, text: &[u8]) -> Option<Fingerprint> {
        if text.len() != TEXT_LEN || !text.starts_with(PREFIX) {
            return None;
        }
        // All texts are of one length, so that the padding tells nothing apart.
        let mut padded = [0; TEXT_LEN.next_multiple_of(BLOCK)];
        padded[..TEXT_LEN].copy_from_slice(text);
        let (blocks, _) = padded.as_chunks::<BLOCK>();
        let mut hash = self.0.clone();
        hash.update_padded(blocks.as_flattened());
        Some(Fingerprint(u128::from_le_bytes(hash.finalize().into())))
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(..)")
    }
}

/// The fingerprint of a session, once its token was seen.
///
/// It is written as two words, and by anyone who sees the token: all write the same.
// Relaxed: who reads one word of it only has a fingerprint that no token has, which finds nothing.
// Where that matters is said in `Entries`.
#[derive(Default)]
pub(crate) struct OnceFingerprint([AtomicU64; 2]);

impl OnceFingerprint {
    #[inline]
    pub(crate) fn get(&self) -> Option<Fingerprint> {
        let [low, high] = &self.0;
        let low = u128::from(low.load(Ordering::Relaxed));
        let bits = low | u128::from(high.load(Ordering::Relaxed)) << 64;
        (bits != 0).then_some(Fingerprint(bits))
    }

    #[inline]
    pub(crate) fn is(&self, fingerprint: Fingerprint) -> bool {
        self.get() == Some(fingerprint)
    }

    pub(crate) fn set(&self, fingerprint: Fingerprint) {
        let [low, high] = &self.0;
        low.store(fingerprint.0 as u64, Ordering::Relaxed);
        high.store((fingerprint.0 >> 64) as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: [u8; TEXT_LEN] =
        *b"wxs_AQcBAgkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCXbKwTh7yXlPKWA";

    fn key() -> FingerprintKey {
        FingerprintKey::random().unwrap()
    }

    #[test]
    fn it_is_polyval_of_the_text_and_a_zero() {
        // RFC 8452 §3: S_j = dot(S_j-1 + X_j, H), with dot(a, b) = a * b * x^-128.
        let secret = *b"sixteen secret b";
        let key = FingerprintKey(Polyval::new(&secret.into()));
        let mut padded = TEXT.to_vec();
        padded.push(0);
        let h = u128::from_le_bytes(secret);
        let blocks = padded.as_chunks::<16>().0.iter();
        let sum = blocks.fold(0, |sum, block| dot(sum ^ u128::from_le_bytes(*block), h));
        assert_eq!(key.of(&TEXT), Some(Fingerprint(sum)));
    }

    /// Bit by bit, in GF(2¹²⁸) with x¹²⁸ + x¹²⁷ + x¹²⁶ + x¹²¹ + 1.
    fn dot(a: u128, b: u128) -> u128 {
        (0..128).fold(0, |product, bit| {
            let product = product ^ if a >> bit & 1 == 1 { b } else { 0 };
            // Divided by x.
            let reduced = if product & 1 == 1 {
                0xe1 << 120 | 1 << 127
            } else {
                0
            };
            product >> 1 ^ reduced
        })
    }

    #[test]
    fn each_character_counts() {
        let key = key();
        let good = key.of(&TEXT);
        assert!(good.is_some());
        for place in 0..TEXT_LEN {
            for bit in 0..8 {
                let mut text = TEXT;
                text[place] ^= 1 << bit;
                assert_ne!(key.of(&text), good, "{place}");
            }
        }
    }

    #[test]
    fn what_has_not_the_form_of_a_token_has_none() {
        let key = key();
        let longer = [&TEXT[..], b"A"].concat();
        for text in [&TEXT[1..], &TEXT[..62], &longer, b"", b"wxs_", &[0xff; 63]] {
            assert_eq!(key.of(text), None);
        }
    }

    #[test]
    fn each_key_has_other_fingerprints() {
        assert_ne!(key().of(&TEXT), key().of(&TEXT));
    }

    #[test]
    fn it_is_known_once_it_is_set() {
        let once = OnceFingerprint::default();
        let fingerprint = key().of(&TEXT).unwrap();
        assert_eq!(once.get(), None);
        assert!(!once.is(fingerprint));
        once.set(fingerprint);
        assert!(once.is(fingerprint));
    }

    #[test]
    fn the_secret_cannot_print() {
        assert_eq!(format!("{:?}", key()), "FingerprintKey(..)");
    }
}
