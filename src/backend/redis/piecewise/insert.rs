use std::collections::BTreeMap;

use super::RedisStore;
use crate::identity::Identity;
use crate::store::{Insert, Inserted, Loaded, SessionStore, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

impl RedisStore {
    pub(in crate::backend::redis) async fn insert_piecewise(
        &self,
        insert: &Insert,
    ) -> Result<Inserted, StoreError> {
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
        let mut unread = self.read_index(user, None).await?;
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
}
