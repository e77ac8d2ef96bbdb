use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Node;
use crate::identity::Identity;
use crate::random;
use crate::session::Record;
use crate::store::{Insert, Inserted, Loaded, SessionStore, StoreError};
use crate::time::Timestamp;
use crate::token::SessionId;

/// That something is used once on all nodes: whoever claims it first has it.
///
/// To a store it is a session, so that every store can keep it: that of a user whom no platform
/// has, for one thing each. Its id comes from no token, so nobody can present it; nothing is
/// announced, no cap counts it, and it is gone when its time is over.
#[derive(Clone)]
pub(crate) struct Claim {
    id: SessionId,
    user: Identity,
    lifetime: Duration,
    /// Tells it from all other claims to the same thing.
    mark: Arc<str>,
}

impl Claim {
    /// A claim to what has this digest.
    pub(crate) fn new(digest: &[u8; 32], lifetime: Duration) -> Result<Self, StoreError> {
        let mut mark = [0; 16];
        random::fill(&mut mark).map_err(StoreError::unavailable)?;
        let user = Identity::new("", URL_SAFE_NO_PAD.encode(digest));
        let mut id = [0; 18];
        id[..2].copy_from_slice(&user.bucket());
        id[2..].copy_from_slice(&digest[..16]);
        Ok(Self {
            id: SessionId::from_bytes(id),
            user,
            lifetime,
            mark: format!("\"{}\"", URL_SAFE_NO_PAD.encode(mark)).into(),
        })
    }

    pub(crate) const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    fn record(&self, now: Timestamp) -> Record {
        let (user, mark) = (self.user.clone(), Arc::clone(&self.mark));
        let issued = Record::issued(user, now, self.lifetime, Duration::ZERO, Some(mark));
        // No use puts off its end, and it is kept no longer than to that.
        Record {
            idle_deadline: issued.absolute_end,
            ..issued
        }
    }
}

impl<S: SessionStore> Node<S> {
    /// Makes a claim; `false` if another one was made before.
    ///
    /// Making it again is as good as making it once: where the answer of the store is lost, nobody
    /// knows whether the claim is in there, and a repeat of it finds its own mark.
    pub(crate) async fn make(&self, claim: &Claim) -> Result<bool, StoreError> {
        let bucket = claim.id.bucket();
        let insert = Insert::new(claim.id, claim.record(self.clock.now()));
        let insert = |store| SessionStore::insert(store, insert);
        match self.upstream.write(bucket, insert).await? {
            Inserted::Kept(_) => {
                self.upstream.note_written(bucket);
                Ok(true)
            }
            Inserted::Taken => self.was_made(claim).await,
        }
    }

    async fn was_made(&self, claim: &Claim) -> Result<bool, StoreError> {
        let load = |store| SessionStore::load(store, claim.id);
        let loaded = self.upstream.read(claim.id.bucket(), load).await?;
        Ok(matches!(loaded, Loaded::Live(kept) if kept.data.as_ref() == Some(&claim.mark)))
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_kept_until_it_is_over_and_no_longer() {
        let (now, day) = (Timestamp::from_millis(1), Duration::from_secs(86_400));
        let claim = Claim::new(&[7; 32], day).unwrap();
        let record = claim.record(now);
        assert_eq!(record.ended(now), None);
        assert_eq!(record.end(), now.after(day));
        assert_eq!(record.kept_until(), now.after(day));

        let endless = Claim::new(&[7; 32], Duration::MAX).unwrap();
        let end = Timestamp::from_millis(u64::MAX);
        assert_eq!(endless.record(now).kept_until(), end);
    }

    #[test]
    fn claims_to_one_thing_have_one_id_and_a_mark_each() {
        let hour = Duration::from_secs(3600);
        let claims = [[7; 32], [7; 32], [8; 32]].map(|digest| Claim::new(&digest, hour).unwrap());
        assert_eq!(claims[0].id, claims[1].id);
        assert_eq!(claims[0].id.bucket(), claims[0].user.bucket());
        assert_ne!(claims[0].mark, claims[1].mark);
        assert_ne!(claims[0].id, claims[2].id);
        assert!(serde_json::from_str::<String>(&claims[0].mark).is_ok());
    }
}
