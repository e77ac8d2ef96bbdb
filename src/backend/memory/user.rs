use std::collections::VecDeque;

use super::agenda::Entry;
use crate::backend::kept_keys::KeptKeys;
use crate::session::Record;
use crate::time::Timestamp;
use crate::token::SessionId;

/// What is kept of one user besides the sessions themselves.
#[derive(Default)]
pub(super) struct User {
    /// The sessions that were not revoked, oldest first. They come at the end, go at the front, and
    /// are few.
    sessions: VecDeque<(Timestamp, SessionId)>,
    pub(super) keys: KeptKeys,
    /// When the keys are due to be collected: once for all of them.
    pub(super) keys_due: Option<Entry>,
}

impl User {
    pub(super) fn add(&mut self, id: SessionId, record: &Record) {
        let session = (record.issued_at, id);
        if let Err(place) = self.sessions.binary_search(&session) {
            self.sessions.insert(place, session);
        }
    }

    pub(super) fn remove(&mut self, id: SessionId, issued_at: Timestamp) {
        if let Ok(place) = self.sessions.binary_search(&(issued_at, id)) {
            self.sessions.remove(place);
        }
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.sessions.iter().map(|(_, id)| *id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.keys.is_empty()
    }
}
