//! Logins, rotations and ends of sessions in steps of one key each, for a slot of a Cluster that moves.
//!
//! Until a slot has moved, some of its keys are at the old place and some, with all new ones, at the
//! new place. A script gets no keys from two places, but one key is found wherever it is. So here the
//! order of the steps does what one script does elsewhere, whatever other nodes do between two of them,
//! in one script or in steps:
//!
//! - Nobody has the new token before the last step is done. Where one fails, the record of a session
//!   is left that nobody can present.
//! - A name is put into an index after its record is there: whoever finds a name without a record takes
//!   it out.
//! - A rotation happens when the old record gets its successor. What ends all sessions of a user by the
//!   index, before the successor is in there, has ended the old session at least; so the old one is
//!   looked at once more.
//! - A session ends after what took its place, so that whoever goes on after a failure finds all that
//!   is left. All sessions of a user end in any order, until the index names no other.

mod insert;
mod revoke;
mod rotate;

use super::RedisStore;
use super::wire::answer::is_done;
use crate::backend::wire::bytes::LATEST;
use crate::backend::wire::user::user_name;
use crate::session::Record;
use crate::store::{Retire, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

impl RedisStore {
    /// Keeps the record of a new session; `false` if there is one by its name.
    async fn keep(&self, id: SessionId, new: &Record) -> Result<bool, StoreError> {
        let call = self.calls(id.bucket()).keep(id, new);
        is_done(&self.router.run(&call).await?)
    }

    async fn enter_in_index(&self, id: SessionId, record: &Record) -> Result<(), StoreError> {
        let user = user_name(&record.identity);
        let [issued, till] = [record.issued_at, record.kept_until()].map(signed);
        let kept = (user.as_bytes(), issued, till);
        let call = self.calls(id.bucket()).index(id, kept);
        self.router.run(&call).await.map(drop)
    }

    /// Retires a session in favour of `new`, if it is the user's of `record` and `earlier` is what has
    /// its place so far.
    async fn succeed(
        &self,
        retire: Retire,
        record: &Record,
        earlier: Option<SessionId>,
        new: SessionId,
    ) -> Result<bool, StoreError> {
        let calls = self.calls(new.bucket());
        let call = calls.succeed(retire, &record.identity, earlier, new);
        is_done(&self.router.run(&call).await?)
    }

    /// Ends a session as replaced, if it counts for the cap; one that was used may be spared.
    async fn replace(&self, id: SessionId, spare_used: bool) -> Result<bool, StoreError> {
        let call = self.calls(id.bucket()).replace(id, spare_used);
        is_done(&self.router.run(&call).await?)
    }

    /// Removes the record of a session whose token nobody has.
    async fn take_away(&self, id: SessionId) -> Result<(), StoreError> {
        let key = self.keys.session(id);
        // As DEL would, for which a user needs one more right.
        let mut expire = redis::cmd("PEXPIREAT");
        expire.arg(&key).arg(1);
        self.router.query(&key, &expire).await.map(drop)
    }
}

fn signed(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis().min(LATEST)).unwrap_or(i64::MAX)
}
