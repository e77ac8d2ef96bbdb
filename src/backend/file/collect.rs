//! What cannot be read any more goes, a little at a time: half of the file in one transaction would make
//! it twice as large.

use redb::ReadableTable;

use super::fault::Fault;
use super::tables::{self, Due, User, due_key, read_due};
use super::transaction::Transaction;
use crate::backend::stored::Stored;
use crate::token::SessionId;

impl Transaction<'_> {
    /// Drops a few things whose time has come; how many it looked at.
    pub(super) fn collect(&mut self, most: usize) -> Result<usize, Fault> {
        for looked_at in 0..most {
            let Some(key) = self.next_due()? else {
                return Ok(looked_at);
            };
            self.tables.due.remove(key.as_slice())?;
            self.is_dirty = true;
            match read_due(&key) {
                Some(Due::Session(id)) => self.collect_session(id)?,
                Some(Due::Keys(user)) => self.collect_keys(&user)?,
                None => {}
            }
        }
        Ok(most)
    }

    fn next_due(&self) -> Result<Option<Vec<u8>>, Fault> {
        let end = due_key(self.now(), &[u8::MAX]);
        let first = self.tables.due.range::<&[u8]>(..end.as_slice())?.next();
        Ok(first.transpose()?.map(|(key, _)| key.value().to_vec()))
    }

    fn collect_session(&mut self, id: SessionId) -> Result<(), Fault> {
        let kept = match tables::session(&self.tables.sessions, id) {
            Err(Fault::Record(_)) => None,
            kept => kept?,
        };
        let until = kept.as_ref().map(Stored::kept_until);
        if let Some(until) = until.filter(|until| self.now() < *until) {
            return self.put_due(&due_key(until, id.as_bytes()));
        }
        self.remove_session(id)?;
        match kept.as_ref().and_then(Stored::record) {
            Some(record) => self.leave(id, record),
            None => Ok(()),
        }
    }

    fn collect_keys(&mut self, user: &User) -> Result<(), Fault> {
        let kept = match tables::keys_of(&self.tables.session_keys, user) {
            Err(Fault::Record(_)) => None,
            kept => kept?,
        };
        let mut keys = kept.unwrap_or_default();
        keys.drop_old(self.now());
        if keys.is_empty() {
            self.tables.session_keys.remove(user)?;
            return Ok(());
        }
        self.put_due(&due_key(keys.until(), user))?;
        self.put_keys(user, &keys)
    }
}
