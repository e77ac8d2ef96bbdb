use std::collections::HashSet;

use super::RedisStore;
use crate::backend::redis::scripts::calls::Succession;
use crate::backend::redis::wire::answer::has_ended;
use crate::backend::stored::Stored;
use crate::identity::Identity;
use crate::store::{Revoke, StoreError, Target};
use crate::token::SessionId;

impl RedisStore {
    pub(in crate::backend::redis) async fn revoke_piecewise(
        &self,
        revoke: &Revoke,
    ) -> Result<Vec<SessionId>, StoreError> {
        match &revoke.target {
            Target::Session(id) => self.end_line(*id, revoke).await,
            Target::User(user) => self.end_all(user, None, revoke).await,
            Target::Others { user, keep } => self.end_all(user, Some(*keep), revoke).await,
        }
    }

    /// Ends a session and what took its place, the last first: whoever goes on after a failure finds
    /// the way to what is left.
    async fn end_line(
        &self,
        first: SessionId,
        revoke: &Revoke,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut ended = Vec::new();
        'again: loop {
            let mut successor = Succession::None;
            for id in self.line(first).await?.into_iter().rev() {
                match self.end(id, revoke, successor).await? {
                    Some(true) => ended.push(id),
                    Some(false) => {}
                    None => continue 'again,
                }
                successor = Succession::By(id);
            }
            return Ok(ended);
        }
    }

    /// Ends all sessions of a user but `keep` and what took its place, until the index names no other.
    ///
    /// What a rotation has put in the place of one of them and not yet into the index is ended by the
    /// rotation itself.
    async fn end_all(
        &self,
        user: &Identity,
        keep: Option<SessionId>,
        revoke: &Revoke,
    ) -> Result<Vec<SessionId>, StoreError> {
        let (mut ended, mut seen) = (Vec::new(), HashSet::new());
        loop {
            let mut known = self.read_index(user, revoke.issued_by).await?;
            // Later than the index: what is in there for a rotation of this one is found here.
            let spared = match keep {
                Some(keep) => self.line(keep).await?,
                None => Vec::new(),
            };
            known.retain(|id| !spared.contains(id) && seen.insert(*id));
            if known.is_empty() {
                return Ok(ended);
            }
            for id in known {
                if self.end(id, revoke, Succession::Any).await? == Some(true) {
                    ended.push(id);
                }
            }
        }
    }

    /// A session and what took its place, one after the other.
    async fn line(&self, first: SessionId) -> Result<Vec<SessionId>, StoreError> {
        let (mut line, mut next) = (Vec::new(), Some(first));
        while let Some(id) = next.filter(|id| !line.contains(id)) {
            line.push(id);
            next = match self.stored(id).await {
                Ok(Some(Stored::Kept(record))) => record.successor,
                Err(error) if error.is_unavailable() => return Err(error),
                // A damaged record is the matter of its own session.
                Ok(_) | Err(_) => None,
            };
        }
        Ok(line)
    }

    async fn end(
        &self,
        id: SessionId,
        revoke: &Revoke,
        successor: Succession,
    ) -> Result<Option<bool>, StoreError> {
        let calls = self.calls(revoke.target.bucket());
        has_ended(&self.router.run(&calls.end(id, revoke, successor)).await?)
    }
}
