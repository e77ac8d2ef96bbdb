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
            if self.sessions.capacity() == 0 {
                // Most users have one.
                self.sessions.reserve_exact(1);
            }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::Identity;

    #[test]
    fn sessions_are_in_the_order_of_their_issue_whenever_they_come_and_go() {
        let mut user = User::default();
        let id = |number| SessionId::from_bytes([number; 18]);
        // A rotation keeps the time of issue, so not all come at the end.
        for (number, issued_at) in [(2, 20), (9, 10), (3, 30), (1, 20), (1, 20)] {
            let issued_at = Timestamp::from_millis(issued_at);
            let day = Duration::from_secs(86_400);
            let identity = Identity::new("appid", "openid");
            let record = Record::issued(identity, issued_at, day, day, None);
            user.add(id(number), &record);
        }
        assert!(user.sessions().eq([9, 1, 2, 3].map(id)));
        user.remove(id(2), Timestamp::from_millis(20));
        user.remove(id(3), Timestamp::from_millis(31));
        assert!(user.sessions().eq([9, 1, 3].map(id)));
    }
}
