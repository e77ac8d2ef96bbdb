use std::collections::BTreeSet;

use super::agenda::Entry;
use super::{PutSessionKey, Record, Timestamp};
use crate::SessionId;

/// What is kept of one user besides the sessions themselves.
#[derive(Default)]
pub(super) struct User {
    /// The sessions that were not revoked, oldest first.
    sessions: BTreeSet<(Timestamp, SessionId)>,
    /// Newest first, each with the end of its keeping.
    keys: Vec<(Vec<u8>, Timestamp)>,
    /// When the keys are looked at again: once for all of them.
    pub(super) keys_due: Option<Entry>,
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
        let until = now.after(put.keep);
        match self.keys.first_mut() {
            Some(newest) if newest.0 == put.key => newest.1 = until,
            newest => {
                if let Some(previous) = newest {
                    previous.1 = previous.1.min(now.after(put.keep_previous));
                }
                self.keys.insert(0, (put.key, until));
                self.keys.truncate(2);
            }
        }
    }

    pub(super) fn keys(&self, now: Timestamp) -> Vec<Vec<u8>> {
        let kept = self.keys.iter().filter(|(_, until)| now < *until);
        kept.map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn drop_old_keys(&mut self, now: Timestamp) {
        self.keys.retain(|(_, until)| now < *until);
    }

    /// When the first of the keys has been kept long enough.
    pub(super) fn first_key_end(&self) -> Option<Timestamp> {
        self.keys.iter().map(|(_, until)| *until).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.keys.is_empty()
    }
}
