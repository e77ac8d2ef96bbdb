//! Dropping what cannot be read any more, a little at a time.

use super::shard::{Due, Shard};
use super::user::User;
use crate::backend::stored::Stored;
use crate::identity::Identity;
use crate::session::Record;
use crate::time::Timestamp;
use crate::token::SessionId;

/// Things that one operation collects at most, so that none pauses for long.
const COLLECTED_AT_ONCE: usize = 8;

impl Shard {
    /// Drops a few things that cannot be read any more.
    pub(super) fn collect(&mut self, now: Timestamp) {
        for _ in 0..COLLECTED_AT_ONCE {
            match self.agenda.next(now) {
                None => return,
                Some(Due::Session(id)) => self.collect_session(id, now),
                Some(Due::Keys(user)) => self.collect_keys(&user, now),
            }
        }
    }

    fn collect_session(&mut self, id: SessionId, now: Timestamp) {
        let Some(until) = self.sessions.get(&id).map(Stored::kept_until) else {
            return;
        };
        if now < until {
            self.agenda.add(until, Due::Session(id));
        } else if let Some(Stored::Kept(record)) = self.sessions.remove(&id) {
            self.forget_session_of(id, &record);
        }
    }

    fn collect_keys(&mut self, user: &Identity, now: Timestamp) {
        if let Some(kept) = self.users.get_mut(user) {
            kept.keys_due = None;
            kept.keys.drop_old(now);
            self.schedule_keys(user);
            self.forget_empty(user);
        }
    }

    /// Schedules the keys of a user for when the first of them ends.
    pub(super) fn schedule_keys(&mut self, of: &Identity) {
        if let Some(user) = self.users.get_mut(of) {
            if let Some(due) = user.keys_due.take() {
                self.agenda.cancel(due);
            }
            let first = user.keys.first_end();
            user.keys_due = first.map(|at| self.agenda.add(at, Due::Keys(of.clone())));
        }
    }

    pub(super) fn forget_session_of(&mut self, id: SessionId, record: &Record) {
        if let Some(kept) = self.users.get_mut(&record.identity) {
            kept.remove(id, record.issued_at);
            self.forget_empty(&record.identity);
        }
    }

    fn forget_empty(&mut self, user: &Identity) {
        if self.users.get(user).is_some_and(User::is_empty) {
            self.users.remove(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::PutSessionKey;

    #[test]
    fn a_user_s_session_keys_are_on_the_agenda_once() {
        let mut shard = Shard::default();
        let (day, now) = (Duration::from_secs(86_400), Timestamp::from_millis(1));
        let user = Identity::new("appid", "openid");
        for login in 0..1000u32 {
            let key = (login / 2).to_be_bytes();
            let mut fingerprint = [0; 16];
            fingerprint[..4].copy_from_slice(&key);
            let put = PutSessionKey::new(user.clone(), key.to_vec(), fingerprint, 30 * day, day);
            shard.put_session_key(put, now);
        }
        assert_eq!(shard.agenda.len(), 1);
        assert_eq!(shard.session_keys(&user, now).len(), 5);

        shard.collect(now.after(day));
        assert_eq!(
            shard.session_keys(&user, now).len(),
            1,
            "the earlier ones are gone"
        );
        shard.collect(now.after(30 * day));
        assert!(shard.users.is_empty());
        assert_eq!(shard.agenda.len(), 0);
    }
}
