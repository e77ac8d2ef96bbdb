//! Logins and rotations in steps of one key each, for a slot of a Cluster that moves.
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

use std::collections::BTreeMap;

use super::RedisStore;
use super::wire::answer::is_done;
use super::wire::bytes::LATEST;
use super::wire::keys::user_name;
use crate::backend::stored::Stored;
use crate::identity::Identity;
use crate::session::{EndReason, Record};
use crate::store::{Insert, Inserted, Loaded, Retire, Rotate, Rotated, SessionStore, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

impl RedisStore {
    pub(super) async fn insert_piecewise(&self, insert: &Insert) -> Result<Inserted, StoreError> {
        let (id, record) = (insert.id, &insert.record);
        if !self.keep(id, record).await? {
            return Ok(Inserted::Taken);
        }
        self.enter_in_index(id, record).await?;
        if let Some(retire) = insert.retire {
            self.succeed(retire, record, None, id).await?;
        }
        let replaced = match insert.cap {
            Some(cap) => self.end_excess(&record.identity, cap).await?,
            None => Vec::new(),
        };
        Ok(Inserted::Kept(replaced))
    }

    pub(super) async fn rotate_piecewise(&self, rotate: &Rotate) -> Result<Rotated, StoreError> {
        loop {
            let old = match self.load(rotate.old).await? {
                Loaded::Live(old) => old,
                Loaded::Ended { reason, .. } => return Ok(Rotated::Ended(reason)),
                Loaded::NeverSeen => return Ok(Rotated::NeverSeen),
            };
            if !self.is_succeeded_by_nobody_in_use(&old).await? {
                return Ok(Rotated::Ended(EndReason::Replaced));
            }
            let now = self.router.finder().clock.now();
            let new = old.rotated(now, rotate.data.clone());
            if !self.keep(rotate.new, &new).await? {
                return Ok(Rotated::Taken);
            }
            if self.take_over(rotate, &old).await? {
                return self.finish_rotating(rotate, new).await;
            }
            // Somebody was faster: what is there now decides.
            self.take_away(rotate.new).await?;
        }
    }

    /// Whether a session can be rotated: nothing has taken its place, or an earlier rotation whose
    /// token nobody has used. A login that took over is known by its own time of issue.
    async fn is_succeeded_by_nobody_in_use(&self, old: &Record) -> Result<bool, StoreError> {
        let Some(earlier) = old.successor else {
            return Ok(!old.is_retired());
        };
        let Loaded::Live(earlier) = self.load(earlier).await? else {
            return Ok(false);
        };
        let is_current = !earlier.is_retired() && earlier.successor.is_none();
        Ok(is_current && earlier.last_used.is_none() && earlier.issued_at == old.issued_at)
    }

    /// Puts the new session in the place of the old one, if both are still as they were.
    async fn take_over(&self, rotate: &Rotate, old: &Record) -> Result<bool, StoreError> {
        // First, so that no two successors are good at the same time.
        if let Some(earlier) = old.successor
            && !self.replace(earlier, true).await?
        {
            return Ok(false);
        }
        let retire = Retire::new(rotate.old, rotate.grace);
        self.succeed(retire, old, old.successor, rotate.new).await
    }

    async fn finish_rotating(&self, rotate: &Rotate, new: Record) -> Result<Rotated, StoreError> {
        self.enter_in_index(rotate.new, &new).await?;
        match self.stored(rotate.old).await? {
            Some(Stored::Revoked { reason, .. }) => {
                self.take_away(rotate.new).await?;
                Ok(Rotated::Ended(reason))
            }
            _ => Ok(Rotated::Done(new)),
        }
    }

    /// Ends the oldest sessions of a user until `cap` are left. A new one is in the index before it is
    /// looked for what is too many, so that of two logins at once the later one sees both; and all nodes
    /// agree on the order.
    async fn end_excess(&self, user: &Identity, cap: usize) -> Result<Vec<SessionId>, StoreError> {
        let mut replaced = Vec::new();
        loop {
            let current = self.current(user).await?;
            let excess = current.len().saturating_sub(cap.max(1));
            if excess == 0 {
                return Ok(replaced);
            }
            // One that was rotated or has ended meanwhile is left alone, and all are looked at again.
            for id in current.into_values().take(excess) {
                if self.replace(id, false).await? {
                    replaced.push(id);
                }
            }
        }
    }

    /// The sessions of a user that count for the cap, in the order of the index.
    async fn current(
        &self,
        user: &Identity,
    ) -> Result<BTreeMap<(Timestamp, String), SessionId>, StoreError> {
        let mut unread = self.read_index(user).await?;
        let mut current = BTreeMap::new();
        while let Some(id) = unread.pop() {
            match self.load(id).await {
                Ok(Loaded::Live(record)) => match record.successor {
                    // A rotation puts it into the index later than here.
                    Some(successor) => unread.push(successor),
                    None => {
                        current.insert((record.issued_at, id.to_string()), id);
                    }
                },
                Err(error) if error.is_unavailable() => return Err(error),
                // A damaged record is the matter of its own session.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(current)
    }

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
        let mut delete = redis::cmd("DEL");
        delete.arg(&key);
        self.router.query(&key, &delete).await.map(drop)
    }
}

fn signed(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis().min(LATEST)).unwrap_or(i64::MAX)
}
