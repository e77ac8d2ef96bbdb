//! The session_keys of one user, as one value.

use crate::store::{PutSessionKey, SESSION_KEYS};
use crate::time::Timestamp;
#[cfg(any(feature = "file", feature = "mysql", feature = "postgres"))]
use crate::{
    backend::wire::bytes::{Reader, VERSION, corrupt, put_length, put_time, versioned},
    store::StoreError,
};

/// The newest session_key of a user and those before it, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeptKeys(Vec<Key>);

#[derive(Clone, PartialEq, Eq)]
struct Key {
    key: Vec<u8>,
    fingerprint: [u8; 16],
    until: Timestamp,
    /// When the login began.
    began: Timestamp,
}

impl KeptKeys {
    pub(super) fn put(&mut self, put: PutSessionKey, now: Timestamp) {
        self.drop_old(now);
        let began = put.began.map_or(now, |began| began.min(now));
        let same = |key: &Key| key.fingerprint == put.fingerprint;
        if self.0.iter().any(|key| same(key) && key.began > began) {
            return;
        }
        let place = self.0.partition_point(|key| key.began > began);
        let mut keep = put.keep;
        match self.0.first_mut() {
            Some(_) if place > 0 => keep = keep.min(put.keep_previous),
            Some(newest) if !same(newest) => {
                newest.until = newest.until.min(now.after(put.keep_previous));
            }
            _ => {}
        }
        // What is taken out began no later, so that it stands behind.
        self.0.retain(|key| !same(key));
        let key = Key {
            key: put.key,
            fingerprint: put.fingerprint,
            until: now.after(keep),
            began,
        };
        self.0.insert(place, key);
        self.0.truncate(SESSION_KEYS);
    }

    /// Those that are still kept, newest first.
    pub(super) fn live(&self, now: Timestamp) -> Vec<Vec<u8>> {
        let kept = self.0.iter().filter(|key| now < key.until);
        kept.map(|key| key.key.clone()).collect()
    }

    pub(super) fn drop_old(&mut self, now: Timestamp) {
        self.0.retain(|key| now < key.until);
    }

    /// When the first of them has been kept long enough.
    pub(super) fn first_end(&self) -> Option<Timestamp> {
        self.0.iter().map(|key| key.until).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(any(feature = "file", feature = "mysql", feature = "postgres"))]
impl KeptKeys {
    /// When the last of them has been kept long enough.
    pub(super) fn until(&self) -> Timestamp {
        let ends = self.0.iter().map(|key| key.until);
        ends.max().unwrap_or_default()
    }

    /// Version; then for each key until when it is kept, when its login began, the fingerprint, the length
    /// and the key.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        for key in &self.0 {
            put_time(&mut bytes, key.until);
            put_time(&mut bytes, key.began);
            bytes.extend(key.fingerprint);
            put_length(&mut bytes, key.key.len());
            bytes.extend(&key.key);
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut reader = Reader(versioned(bytes)?);
        let mut keys = Vec::new();
        while !reader.0.is_empty() {
            keys.push(Key::read(&mut reader).ok_or_else(corrupt)?);
        }
        Ok(Self(keys))
    }
}

#[cfg(any(feature = "file", feature = "mysql", feature = "postgres"))]
impl Key {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            until: reader.time()?,
            began: reader.time()?,
            fingerprint: reader.take(16)?.try_into().ok()?,
            key: reader.bytes()?.to_vec(),
        })
    }
}

/// The key may be a plain one.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("until", &self.until)
            .field("began", &self.began)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, any(feature = "file", feature = "mysql", feature = "postgres")))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::Identity;

    #[test]
    fn keys_survive_their_bytes() {
        let (day, now) = (Duration::from_secs(86_400), Timestamp::from_millis(1 << 40));
        let mut keys = KeptKeys::default();
        for login in 0..7 {
            let user = Identity::new("appid", "openid");
            let key = vec![login; usize::from(login) * 50];
            let put = PutSessionKey::new(user, key, [login; 16], 30 * day, day);
            keys.put(put, now.after(Duration::from_secs(login.into())));
            let bytes = keys.encode();
            assert_eq!(KeptKeys::decode(&bytes).unwrap(), keys);
            assert!(KeptKeys::decode(&bytes[..bytes.len() - 1]).is_err() || login == 0);
        }
        assert_eq!(keys.live(now).len(), SESSION_KEYS);
    }
}
