//! The runs of scripts, with the arguments that all of them take first.

use redis::Value;
use tokio::time::sleep;

use super::scripts::{Call, Script};
use super::servers::router::MOVES_FOR;
use super::wire::answer::{listed, needed};
use super::wire::keys::bucket_slot;
use super::wire::record;
use super::wire::reply::{bytes, items};
use super::{RedisStore, scripts};
use crate::identity::Identity;
use crate::session::Record;
use crate::store::{Loaded, Revoke, SessionStore, StoreError, StoreErrorKind, Target};
use crate::token::SessionId;

impl RedisStore {
    /// Runs a script as often as it says that it needs other keys, which it finds out by looking:
    /// the sessions of a user, or what took a session's place.
    pub(super) async fn run(&self, bucket: [u8; 2], mut call: Call) -> Result<Value, StoreError> {
        loop {
            match self.run_unless_moving(bucket, &mut call).await? {
                Some(answer) => return Ok(answer),
                None => sleep(MOVES_FOR).await,
            }
        }
    }

    async fn run_unless_moving(
        &self,
        bucket: [u8; 2],
        call: &mut Call,
    ) -> Result<Option<Value>, StoreError> {
        while let Some(answer) = self.router.run_unless_moving(call).await? {
            let Some(needed) = needed(&answer) else {
                return Ok(Some(answer));
            };
            call.ask_for(needed.map(|name| self.keys.named(bucket, name)));
        }
        Ok(None)
    }

    /// The user's sessions at one instant, or one after the other while the slot moves: a look
    /// must not wait for that, or it would be taken for a store that is down.
    pub(super) async fn sessions_of(
        &self,
        user: &Identity,
    ) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let mut call = self.call_on_index(&scripts::LIST, user);
        match self.run_unless_moving(user.bucket(), &mut call).await? {
            Some(answer) => listed(&answer),
            None => self.look_at_each(user).await,
        }
    }

    async fn look_at_each(&self, user: &Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let index = self.keys.index(user);
        let mut question = redis::cmd("ZRANGE");
        question.arg(&index).arg(0).arg(-1);
        let known = self.router.look(&index, &question).await?;
        let mut found = Vec::new();
        for id in items(&known)?.iter().filter_map(bytes) {
            let Some(id) = record::session_id(id) else {
                continue;
            };
            match self.load(id).await {
                Ok(Loaded::Live(record)) if !record.is_retired() => found.push((id, record)),
                Err(error) if error.kind() == StoreErrorKind::Unavailable => return Err(error),
                // A damaged record is the matter of its own session.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(found)
    }

    /// Has an index forget those of these sessions that are gone. Nobody waits for a slot that
    /// moves: the next login sees to it.
    pub(super) async fn tidy(&self, bucket: [u8; 2], user: &Identity, sessions: Vec<&[u8]>) {
        let mut call = self.call_on_index(&scripts::TIDY, user);
        call.ask_for(
            sessions
                .into_iter()
                .map(|name| self.keys.named(bucket, name)),
        );
        let _ = self.router.run_unless_moving(&call).await;
    }

    /// Has the index of a user hold a session that was just used, also where it was lost.
    ///
    /// If this fails the next use does it: records and indexes are kept for longer than it takes
    /// until then.
    pub(super) async fn keep_in_index(
        &self,
        id: SessionId,
        (user, issued, till): (&[u8], i64, i64),
    ) {
        let index = self.keys.named(id.bucket(), user);
        let call = self
            .call(&scripts::INDEX, id.bucket(), [index])
            .arg(id.to_string())
            .number(issued)
            .number(till);
        let _ = self.router.run(&call).await;
    }

    /// A run of a script with the arguments that all scripts take.
    pub(super) fn call<const N: usize>(
        &self,
        script: &'static Script,
        bucket: [u8; 2],
        keys: [String; N],
    ) -> Call {
        script
            .on(keys)
            .arg(self.keys.base(bucket))
            .arg(self.announced_on(bucket))
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

    /// The key of a session among those of a bucket: one of another bucket is another user's, and
    /// is not found there.
    pub(super) fn session_in(&self, bucket: [u8; 2], id: SessionId) -> String {
        self.keys.named(bucket, id.to_string().as_bytes())
    }

    pub(super) fn call_on_index(&self, script: &'static Script, user: &Identity) -> Call {
        self.call(script, user.bucket(), [self.keys.index(user)])
    }

    pub(super) fn revocation(&self, revoke: &Revoke) -> ([u8; 2], Call) {
        let reason = record::code(revoke.reason.into());
        let issued_by = revoke.issued_by.map(|by| by.as_millis().to_string());
        let issued_by = issued_by.unwrap_or_default();
        let bucket = revoke.target.bucket();
        let call = match &revoke.target {
            Target::Session(id) => self
                .call(&scripts::REVOKE_SESSION, bucket, [self.keys.session(*id)])
                .arg(id.to_string())
                .number(reason)
                .arg(issued_by),
            Target::User(user) => self
                .call_on_index(&scripts::REVOKE_USER, user)
                .number(reason)
                .arg(issued_by)
                .arg(""),
            Target::Others { user, keep } => self
                .call_on_index(&scripts::REVOKE_USER, user)
                .also_on(Some(self.session_in(bucket, *keep)))
                .number(reason)
                .arg(issued_by)
                .arg(keep.to_string()),
        };
        (bucket, call)
    }
}
