use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{PREFIX, TEXT_LEN};
use crate::random;

/// Words of eight bytes that hold a text: the last of them overlaps the one before.
const WORDS: usize = TEXT_LEN.div_ceil(8);
/// 2¹²⁷ − 1, a prime.
const PRIME: u128 = (1 << 127) - 1;
/// Of each half of a number. So the sum of all products with one half is less than 2¹²⁸.
const HALF: u64 = (1 << 61) - 1;

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

    /// What a slot of the hit table keeps of it: bits that `low` has not.
    #[inline]
    pub(crate) const fn hint(self) -> u16 {
        (self.0 >> 32) as u16
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
/// The hash is the sum of the text's words, each times a random number of its own, modulo the prime
/// 2¹²⁷ − 1 (J. L. Carter and M. N. Wegman, Universal Classes of Hash Functions, 1979). Where two texts
/// differ in a word, whatever the other numbers are, one residue of that word's number gives both the
/// same sum. A number is one of 2¹²², all less than the prime: whoever does not know the secret makes a
/// text that passes for a given session with a chance of 2⁻¹²² a try.
///
/// Nor is the secret enough: whose text passes for a session has to know that session's fingerprint,
/// and with it 122 bits that stem from the 256 random ones of its token.
// The numbers, in two halves: the low 64 bits and those above. Of each half 61 bits are used, so that
// products are summed up without a carry between them.
pub(crate) struct FingerprintKey([[u64; 2]; WORDS]);

impl FingerprintKey {
    /// `None` if the system has no randomness to give.
    pub(crate) fn random() -> Option<Self> {
        let mut secret = [[[0; 8]; 2]; WORDS];
        random::fill(secret.as_flattened_mut().as_flattened_mut()).ok()?;
        let half = |bytes| u64::from_le_bytes(bytes) & HALF;
        Some(Self(secret.map(|number| number.map(half))))
    }

    /// Of what has the length and the prefix of a token: the table has nothing else.
    #[inline]
    pub(crate) fn of(&self, text: &[u8]) -> Option<Fingerprint> {
        let text: &[u8; TEXT_LEN] = text.try_into().ok()?;
        let (words, _) = text.as_chunks::<8>();
        let words = words.iter().chain(text.last_chunk());
        text.starts_with(PREFIX)
            .then(|| Fingerprint(self.sum(words.map(|word| u64::from_le_bytes(*word)))))
    }

    #[inline]
    fn sum(&self, words: impl Iterator<Item = u64>) -> u128 {
        let (mut low, mut high) = (0, 0);
        for (number, word) in self.0.iter().zip(words) {
            let [of_low, of_high] = number.map(|half| u128::from(half) * u128::from(word));
            low += of_low;
            high += of_high;
        }
        // No more than 2¹²⁸ − 2⁶⁷ + 8.
        high += low >> 64;
        let below = high << 64 | u128::from(low as u64);
        // 2¹²⁸ is 2, and 2¹²⁷ is 1. Equal texts have equal sums, reduced to the end or not.
        (below & PRIME) + (below >> 127) + 2 * (high >> 64)
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
    fn it_is_the_sum_of_products() {
        let key = key();
        let place = |word: usize| (8 * word).min(TEXT_LEN - 8);
        let products = key.0.iter().enumerate().map(|(word, number)| {
            let word = TEXT[place(word)..].first_chunk().unwrap();
            product(whole(*number), u64::from_le_bytes(*word))
        });
        let expected = products.fold(0, |sum, product| (sum + product) % PRIME);
        assert_eq!(key.of(&TEXT).unwrap().0 % PRIME, expected);
        // Carries in all places.
        let greatest = FingerprintKey([[HALF; 2]; WORDS]);
        let sum = greatest.sum([u64::MAX; WORDS].into_iter());
        let each = product(whole([HALF; 2]), u64::MAX);
        let expected = (0..WORDS).fold(0, |sum, _| (sum + each) % PRIME);
        assert_eq!(sum % PRIME, expected);
    }

    fn whole([low, high]: [u64; 2]) -> u128 {
        u128::from(low) | u128::from(high) << 64
    }

    /// Bit by bit.
    fn product(number: u128, word: u64) -> u128 {
        (0..64).rev().fold(0, |product, bit| {
            let added = if word >> bit & 1 == 1 { number } else { 0 };
            (2 * product % PRIME + added) % PRIME
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
