use std::fmt;

use siphasher::sip::SipHasher24;

use crate::time::Timestamp;

/// The key behind the tags of tokens, shared by all nodes through the store.
///
/// The tag is SipHash-2-4, a keyed hash with a 64-bit result that was made for short messages. It
/// keeps forged tokens away from the store and vouches for nothing else: a token is good because
/// the store knows it.
///
/// A store keeps [`id`](Self::id), the secret and [`usable_since`](Self::usable_since), and makes
/// the key of them again by [`new`](Self::new) and [`usable_from`](Self::usable_from). There is no
/// serde for it, and `Debug` is redacted, so that the secret gets nowhere by accident.
///
/// ```compile_fail
/// use tower_wx_session::store::TagKey;
///
/// serde_json::to_string(&TagKey::new(0, [0; 16]));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TagKey {
    id: u8,
    secret: [u8; 16],
    usable_from: Timestamp,
}

impl TagKey {
    /// A key that tokens may be tagged with at once, because no node could know another.
    #[must_use]
    pub const fn new(id: u8, secret: [u8; 16]) -> Self {
        Self {
            id,
            secret,
            usable_from: Timestamp::from_millis(0),
        }
    }

    /// Keeps nodes from tagging tokens with this key before `instant`.
    ///
    /// A key that joins others is published at least 60 s before it is used, so that every node
    /// has fetched it when the first token arrives.
    #[must_use]
    pub const fn usable_from(self, instant: Timestamp) -> Self {
        Self {
            usable_from: instant,
            ..self
        }
    }

    /// The number that tokens name the key by.
    #[must_use]
    pub const fn id(&self) -> u8 {
        self.id
    }

    /// Whether `other` may be used only later than this key.
    #[must_use]
    pub fn is_older_than(&self, other: &Self) -> bool {
        self.usable_from < other.usable_from
    }

    /// Whether a store that has these keys takes this one in.
    pub(crate) fn is_newer_than_all(&self, keys: &[Self]) -> bool {
        keys.iter().all(|key| key.is_older_than(self))
    }

    /// When tokens may first be tagged with this key.
    #[must_use]
    pub const fn usable_since(&self) -> Timestamp {
        self.usable_from
    }

    /// The secret itself, for a store to keep: the only way out. Never log it.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 16] {
        &self.secret
    }

    pub(crate) fn is_usable(&self, now: Timestamp) -> bool {
        self.usable_from <= now
    }

    /// Whether both make the same tags, from whenever each is usable.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        (self.id, self.secret) == (other.id, other.secret)
    }

    pub(super) fn tag(&self, tagged: &[u8]) -> [u8; 8] {
        SipHasher24::new_with_key(&self.secret)
            .hash(tagged)
            .to_le_bytes()
    }
}

impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TagKey")
            .field("id", &self.id)
            .field("usable_from", &self.usable_from)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_siphash_2_4() {
        // The vector of the SipHash paper, appendix A: key 00..0f, message 00..0e.
        let key = TagKey::new(0, std::array::from_fn(|i| i as u8));
        let message: [u8; 15] = std::array::from_fn(|i| i as u8);
        assert_eq!(u64::from_le_bytes(key.tag(&message)), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn the_secret_cannot_print() {
        let key = TagKey::new(1, [0xAB; 16]);
        assert!(!format!("{key:?}").contains("171"));
    }
}
