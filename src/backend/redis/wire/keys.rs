use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::backend::wire::user::{USER_LEN, user_name};
use crate::identity::Identity;
use crate::random;
use crate::store::StoreError;
use crate::token::SessionId;

/// Copies of the keys of the tags.
pub(crate) const COPIES: usize = 4;
/// Slots of a Cluster.
pub(crate) const SLOTS: u16 = 16_384;

/// A key, and the name that scripts know it by.
pub(crate) struct NamedKey {
    pub(crate) key: String,
    pub(crate) name: String,
}

/// The names of keys. All keys of one user have the user's bucket as their hash tag, so that one
/// slot of a Cluster has them all.
///
/// | key | holds |
/// |---|---|
/// | `{prefix}:{bucket}:s:{session}` | a session's record |
/// | `{prefix}:{bucket}:u:{user}` | the sessions of a user, by time of issue; whoever reads it takes out what is over |
/// | `{prefix}:{bucket}:k:{user}` | a user's session_keys |
/// | `{prefix}:{bucket}:trial` | never there: a write that is only tried names it |
/// | `{prefix}:{bucket}:probe` | never there: it leads to whoever has the bucket |
/// | `{prefix}:tag-key` | the keys of the tokens' tags; it never expires |
/// | `{prefix}:{n}:tag-key` | copies of that, each in another quarter of a Cluster's slots |
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Shared, so that every load may have it.
    prefix: Arc<str>,
}

impl Keys {
    pub(crate) fn new(prefix: impl Into<Arc<str>>) -> Self {
        let prefix = prefix.into();
        Self { prefix }
    }

    /// What the names of all keys and channels begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What the names of all keys in a bucket begin with.
    pub(crate) fn base(&self, bucket: [u8; 2]) -> String {
        let mut base = String::with_capacity(self.prefix.len() + 8 + 26);
        let bucket = u16::from_be_bytes(bucket);
        let _ = write!(base, "{}:{{{bucket:04x}}}:", self.prefix);
        base
    }

    pub(crate) fn session(&self, id: SessionId) -> String {
        let mut key = self.base(id.bucket());
        let _ = write!(key, "s:{id}");
        key
    }

    pub(crate) fn index(&self, user: &Identity) -> String {
        self.base(user.bucket()) + "u:" + &user_name(user)
    }

    /// What a script has named: the index of a user, or a session.
    pub(crate) fn named(&self, bucket: [u8; 2], name: &[u8]) -> NamedKey {
        let kind = if name.len() == USER_LEN { "u:" } else { "s:" };
        let name = String::from_utf8_lossy(name).into_owned();
        let key = self.base(bucket) + kind + &name;
        NamedKey { key, name }
    }

    pub(crate) fn session_keys(&self, user: &Identity) -> String {
        self.base(user.bucket()) + "k:" + &user_name(user)
    }

    pub(crate) fn trial(&self, bucket: [u8; 2]) -> String {
        self.base(bucket) + "trial"
    }

    pub(crate) fn probe(&self, bucket: [u8; 2]) -> String {
        self.base(bucket) + "probe"
    }

    pub(crate) fn probes(&self, buckets: &[[u8; 2]]) -> Vec<String> {
        buckets.iter().map(|bucket| self.probe(*bucket)).collect()
    }

    pub(crate) fn tag_keys(&self) -> String {
        format!("{}:tag-key", self.prefix)
    }

    pub(crate) fn copies_of_tag_keys(&self) -> [String; COPIES] {
        std::array::from_fn(|n| format!("{}:{{{n}}}:tag-key", self.prefix))
    }

    /// Where changes are published. Channels are common to all databases of a server.
    pub(crate) fn channel(&self, database: u32) -> String {
        format!("{}:changed:{database}", self.prefix)
    }

    /// Where a master of a Cluster publishes what only those hear who are connected to it.
    pub(crate) fn channel_of(&self, database: u32, master: &str) -> String {
        format!("{}:{master}", self.channel(database))
    }

    /// A channel that only one link knows of.
    pub(crate) fn own_channel(&self) -> Result<String, StoreError> {
        let mut name = [0; 16];
        random::fill(&mut name).map_err(StoreError::unavailable)?;
        Ok(format!(
            "{}:probe:{}",
            self.prefix,
            URL_SAFE_NO_PAD.encode(name)
        ))
    }
}

/// The slot of a Cluster that a key is in: CRC-16/XMODEM of its hash tag, if it has one.
pub(crate) fn slot(key: &str) -> u16 {
    let tag = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map_or(key, |(tag, _)| if tag.is_empty() { key } else { tag });
    crc16(tag.as_bytes()) % SLOTS
}

/// The slot of all keys in a bucket.
pub(crate) fn bucket_slot(bucket: [u8; 2]) -> u16 {
    let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
    let [high, low] = bucket;
    crc16(&[high >> 4, high, low >> 4, low].map(digit)) % SLOTS
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |mut crc, byte| {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        // From the documentation of CLUSTER KEYSLOT.
        assert_eq!(slot("somekey"), 11_058);
        assert_eq!(slot("foo{hash_tag}"), 2515);
        assert_eq!(slot("bar{hash_tag}"), 2515);
    }

    #[test]
    fn all_keys_of_a_user_are_in_one_slot() {
        let keys = Keys::new("wxs");
        let user = Identity::new("appid", "openid");
        let mut id = [7; 18];
        id[..2].copy_from_slice(&user.bucket());
        let session = keys.session(SessionId::from_bytes(id));
        assert_eq!(slot(&session), slot(&keys.index(&user)));
        assert_eq!(slot(&session), slot(&keys.session_keys(&user)));
    }

    #[test]
    fn each_quarter_of_the_slots_has_a_copy_of_the_tag_keys() {
        let copies = Keys::new("wxs").copies_of_tag_keys();
        let mut quarters = copies.map(|copy| slot(&copy) / (SLOTS / 4));
        quarters.sort_unstable();
        assert_eq!(quarters, [0, 1, 2, 3]);
    }

    #[test]
    fn a_bucket_s_slot_is_that_of_its_keys() {
        let keys = Keys::new("wxs");
        for bucket in [[0, 0], [0x0f, 0xf0], [0xab, 0xcd], [0xff, 0xff]] {
            assert_eq!(bucket_slot(bucket), slot(&keys.base(bucket)));
        }
    }
}
