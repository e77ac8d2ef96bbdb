use super::RedisStore;
use crate::backend::stored::Stored;
use crate::session::{EndReason, Record};
use crate::store::{Loaded, Retire, Rotate, Rotated, SessionStore, StoreError};

impl RedisStore {
    pub(in crate::backend::redis) async fn rotate_piecewise(
        &self,
        rotate: &Rotate,
    ) -> Result<Rotated, StoreError> {
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
}
