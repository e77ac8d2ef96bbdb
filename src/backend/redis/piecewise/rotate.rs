use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::RedisStore;
use crate::backend::redis::servers::router::MOVING_PAUSE;
use crate::backend::stored::Stored;
use crate::session::{EndReason, Record};
use crate::store::{Loaded, Retire, Rotate, Rotated, SessionStore, StoreError};

/// Looks at what took a session's place before it counts as replaced for good.
const LOOKS: usize = 8;
/// The longest that the steps take which nobody may interrupt.
const DONE_WITHIN: Duration = Duration::from_secs(2);

/// What has a session's place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing, or an earlier rotation whose token nobody has used.
    Free,
    Taken,
    /// What was replaced itself: perhaps by a rotation that is about to take the place.
    Left,
}

impl RedisStore {
    pub(in crate::backend::redis) async fn rotate_piecewise(
        &self,
        rotate: &Rotate,
    ) -> Result<Rotated, StoreError> {
        let mut looks = 0;
        loop {
            let old = match self.load(rotate.old).await? {
                Loaded::Live(old) => old,
                Loaded::Ended { reason, .. } => return Ok(Rotated::Ended(reason)),
                Loaded::NeverSeen => return Ok(Rotated::NeverSeen),
            };
            match self.place_of(&old).await? {
                Place::Free => {}
                Place::Left if looks < LOOKS => {
                    looks += 1;
                    sleep(MOVING_PAUSE).await;
                    continue;
                }
                Place::Left | Place::Taken => return Ok(Rotated::Ended(EndReason::Replaced)),
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

    /// A login that took over is known by its own time of issue.
    async fn place_of(&self, old: &Record) -> Result<Place, StoreError> {
        let Some(earlier) = old.successor else {
            let is_free = !old.is_retired();
            return Ok(if is_free { Place::Free } else { Place::Taken });
        };
        Ok(match self.load(earlier).await? {
            Loaded::Live(earlier) if is_unused_rotation(&earlier, old) => Place::Free,
            Loaded::Ended {
                reason: EndReason::Replaced,
                ..
            } => Place::Left,
            _ => Place::Taken,
        })
    }

    /// Puts the new session in the place of the old one, if both are still as they were.
    async fn take_over(&self, rotate: &Rotate, old: &Record) -> Result<bool, StoreError> {
        let Some(earlier) = old.successor else {
            return self.succeed_old(rotate, old).await;
        };
        // A task of its own: left between the two steps, the session could not be rotated any more,
        // and nobody has the token of what took its place.
        let (store, rotate, old) = (self.clone(), rotate.clone(), old.clone());
        let steps = async move {
            // First, so that no two successors are good at the same time.
            let is_free = store.replace(earlier, true).await?;
            Ok(is_free && store.succeed_old(&rotate, &old).await?)
        };
        let done = tokio::spawn(timeout(DONE_WITHIN, steps)).await;
        let done = done.map_err(StoreError::unavailable)?;
        done.map_err(StoreError::unavailable)?
    }

    async fn succeed_old(&self, rotate: &Rotate, old: &Record) -> Result<bool, StoreError> {
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

fn is_unused_rotation(earlier: &Record, old: &Record) -> bool {
    let is_current = !earlier.is_retired() && earlier.successor.is_none();
    is_current && earlier.last_used.is_none() && earlier.issued_at == old.issued_at
}
