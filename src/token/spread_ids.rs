use std::hash::{BuildHasher, Hasher, RandomState};

/// Hashes names of sessions for maps, under a secret: [`SessionId`](super::SessionId)s, or a half of
/// their digest, and nothing else.
///
/// Most of a name is SHA-256 of a token that a server made, so it is spread evenly as it is, and
/// nobody can make one up. But who logs in often enough could choose, among the names that he was
/// given, those that lie in one place of a map; and the first two bytes are the user's bucket. So
/// the rest is multiplied with a secret, and both halves of the product count: without the secret
/// nobody knows which names meet. SipHash would do the same for five times the time.
#[derive(Clone, Debug)]
pub(crate) struct SpreadIds([u64; 2]);

impl Default for SpreadIds {
    fn default() -> Self {
        let secret = RandomState::new();
        Self([0_u64, 1].map(|number| secret.hash_one(number)))
    }
}

impl BuildHasher for SpreadIds {
    type Hasher = SpreadId;

    #[inline]
    fn build_hasher(&self) -> SpreadId {
        let [high, low] = self.0;
        SpreadId { high, low }
    }
}

/// The secret, and then the digest of a name under it.
#[derive(Clone, Debug)]
pub(crate) struct SpreadId {
    high: u64,
    low: u64,
}

impl Hasher for SpreadId {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let digest: Option<&[u8; 16]> = bytes.last_chunk();
        debug_assert!(digest.is_some(), "hashes names of sessions only");
        let digest = u128::from_le_bytes(digest.copied().unwrap_or_default());
        self.high ^= (digest >> 64) as u64;
        self.low ^= digest as u64;
    }

    #[inline]
    fn write_u64(&mut self, half: u64) {
        self.low ^= half;
    }

    /// How long it is: as long as any.
    #[inline]
    fn write_usize(&mut self, _: usize) {}

    #[inline]
    fn finish(&self) -> u64 {
        let product = u128::from(self.high) * u128::from(self.low);
        (product >> 64) as u64 ^ product as u64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::token::SessionId;

    /// Digests, as names are, of one user.
    fn names() -> impl Iterator<Item = SessionId> {
        (0..2_u64.pow(16)).map(|number| {
            let mut name = [0; 18];
            name[2..].copy_from_slice(&Sha256::digest(number.to_be_bytes())[..16]);
            SessionId::from_bytes(name)
        })
    }

    #[test]
    fn names_are_spread_evenly() {
        let hasher = SpreadIds::default();
        for shift in [0, 24, 48] {
            let mut places = vec![0; 1 << 10];
            for name in names() {
                places[(hasher.hash_one(name) >> shift) as usize % (1 << 10)] += 1;
            }
            // 64 each, give or take eight: six times that happens to one in a billion.
            let most = places.into_iter().max().unwrap();
            assert!(most < 64 + 8 * 12, "{most} in one place");
        }
    }

    #[test]
    fn which_names_meet_is_secret() {
        let [one, other] = [SpreadIds::default(), SpreadIds::default()];
        let in_first_place = |hasher: &SpreadIds| -> HashSet<SessionId> {
            let is_first = |name: &SessionId| hasher.hash_one(name).trailing_zeros() >= 10;
            names().filter(is_first).collect()
        };
        let (one, other) = (in_first_place(&one), in_first_place(&other));
        assert!(one.intersection(&other).count() < one.len() / 4);
    }

    #[test]
    fn every_byte_of_the_digest_counts_and_the_bucket_does_not() {
        let hasher = SpreadIds::default();
        let hash = |name| hasher.hash_one(SessionId::from_bytes(name));
        for place in 0..18 {
            let mut name = [0; 18];
            name[place] = 1;
            assert_eq!(hash(name) == hash([0; 18]), place < 2, "{place}");
        }
    }
}
