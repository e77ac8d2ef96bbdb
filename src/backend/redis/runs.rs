//! The runs of scripts.

use redis::Value;

use super::RedisStore;
use super::scripts::Call;
use super::scripts::calls::Calls;
use super::wire::answer::{indexed, listed, needed};
use super::wire::keys::bucket_slot;
use crate::identity::Identity;
use crate::session::Record;
use crate::store::{Loaded, SessionStore, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

impl RedisStore {
    /// Runs a script as often as it says that it needs other keys, which it finds out by reading:
    /// the sessions of a user, or what took a session's place. `None` if its keys are in two places,
    /// where nothing was done.
    pub(super) async fn run_unless_moving(
        &self,
        bucket: [u8; 2],
        call: &mut Call,
    ) -> Result<Option<Value>, StoreError> {
        while let Some(answer) = self.router.run_unless_moving(call).await? {
            let Some(needed) = needed(&answer) else {
                return Ok(Some(answer));
            };
            call.give_needed(needed.map(|name| self.keys.named(bucket, name)));
        }
        Ok(None)
    }

    /// The user's sessions at one instant, or one after the other while the slot moves: a read
    /// must not wait for that, or it would be taken for a store that is down.
    pub(super) async fn sessions_of(
        &self,
        user: &Identity,
    ) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let mut call = self.calls(user.bucket()).list(user);
        match self.run_unless_moving(user.bucket(), &mut call).await? {
            Some(answer) => listed(&answer),
            None => self.read_each(user).await,
        }
    }

    async fn read_each(&self, user: &Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let mut found = Vec::new();
        for id in self.read_index(user, None).await? {
            match self.load(id).await {
                Ok(Loaded::Live(record)) if !record.is_retired() => found.push((id, record)),
                Err(error) if error.is_unavailable() => return Err(error),
                // A damaged record is the matter of its own session.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(found)
    }

    /// The sessions in a user's index that were issued until a time, oldest first.
    pub(super) async fn read_index(
        &self,
        user: &Identity,
        issued_by: Option<Timestamp>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let index = self.keys.index(user);
        let issued_by = issued_by.map(|by| by.as_millis().to_string());
        let issued_by = issued_by.as_deref().unwrap_or("+inf");
        let mut range = redis::cmd("ZRANGE");
        range.arg(&index).arg("-inf").arg(issued_by).arg("BYSCORE");
        let answer = self.router.query(&index, &range).await?;
        Ok(indexed(&answer)?.collect())
    }

    /// Has an index forget those of these sessions that are gone. Nobody waits for a slot that
    /// moves: the next login sees to it.
    pub(super) async fn tidy(&self, bucket: [u8; 2], user: &Identity, sessions: &[&[u8]]) {
        let call = self.calls(bucket).tidy(user, sessions);
        let _ = self.router.run_unless_moving(&call).await;
    }

    /// Has the index of a user hold a session that was just used, also where it was lost.
    ///
    /// If this fails the next use does it: records and indexes are kept for longer than it takes
    /// until then.
    pub(super) async fn keep_in_index(&self, id: SessionId, kept: (&[u8], i64, i64)) {
        let call = self.calls(id.bucket()).index(id, kept);
        let _ = self.router.run(&call).await;
    }

    pub(super) fn calls(&self, bucket: [u8; 2]) -> Calls<'_> {
        Calls::new(&self.keys, bucket, self.announced_on(bucket))
    }

    /// The channel for changes in a bucket. Behind it is the name of the master that has the bucket,
    /// if the script is to use that one's own channel where it finds itself there.
    fn announced_on(&self, bucket: [u8; 2]) -> String {
        let finder = self.router.finder();
        let mut channel = self.keys.channel(finder.settings.location.database);
        if self.announces_per_master
            && let Some(master) = finder.settled_owner(bucket_slot(bucket))
        {
            channel.push(' ');
            channel.push_str(&master);
        }
        channel
    }
}
