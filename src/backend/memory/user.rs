use std::collections::BTreeSet;

use super::agenda::Entry;
use crate::session::Record;
use crate::store::{PutSessionKey, SESSION_KEYS};
use crate::time::Timestamp;
use crate::token::SessionId;

/// What is kept of one user besides the sessions themselves.
#[derive(Default)]
pub(super) struct User {
    /// The sessions that were not revoked, oldest first.
    sessions: BTreeSet<(Timestamp, SessionId)>,
    /// Newest first.
    keys: Vec<Key>,
    /// When the keys are due to be collected: once for all of them.
    pub(super) keys_due: Option<Entry>,
}

struct Key {
    key: Vec<u8>,
    fingerprint: [u8; 16],
    until: Timestamp,
    /// When the login began.
    began: Timestamp,
}

impl User {
    pub(super) fn add(&mut self, id: SessionId, record: &Record) {
        self.sessions.insert((record.issued_at, id));
    }

    pub(super) fn remove(&mut self, id: SessionId, issued_at: Timestamp) {
        self.sessions.remove(&(issued_at, id));
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.iter().map(|(_, id)| *id)
    }

    pub(super) fn put_key(&mut self, put: PutSessionKey, now: Timestamp) {
        self.drop_old_keys(now);
        let began = put.began.map_or(now, |began| began.min(now));
        let same = |key: &Key| key.fingerprint == put.fingerprint;
        if self.keys.iter().any(|key| same(key) && key.began > began) {
            return;
        }
        let place = self.keys.partition_point(|key| key.began > began);
        let mut keep = put.keep;
        match self.keys.first_mut() {
            Some(_) if place > 0 => keep = keep.min(put.keep_previous),
            Some(newest) if !same(newest) => {
                newest.until = newest.until.min(now.after(put.keep_previous));
            }
            _ => {}
        }
        // What is taken out began no later, so that it stands behind.
        self.keys.retain(|key| !same(key));
        let key = Key {
            key: put.key,
            fingerprint: put.fingerprint,
            until: now.after(keep),
            began,
        };
        self.keys.insert(place, key);
        self.keys.truncate(SESSION_KEYS);
    }

    pub(super) fn keys(&self, now: Timestamp) -> Vec<Vec<u8>> {
        let kept = self.keys.iter().filter(|key| now < key.until);
        kept.map(|key| key.key.clone()).collect()
    }

    pub(super) fn drop_old_keys(&mut self, now: Timestamp) {
        self.keys.retain(|key| now < key.until);
    }

    /// When the first of the keys has been kept long enough.
    pub(super) fn first_key_end(&self) -> Option<Timestamp> {
        self.keys.iter().map(|key| key.until).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.keys.is_empty()
    }
}
