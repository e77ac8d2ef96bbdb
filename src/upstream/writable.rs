//! Whether the store can be written: one that is full, or whose disk or replicas are gone, still
//! reads.

use std::collections::BTreeMap;

use super::{Upstream, WHOLE};
use crate::observe::trace;
use crate::store::{SessionStore, StoreError};

impl<S: SessionStore> Upstream<S> {
    /// Notes that something new was written to a bucket.
    pub(crate) fn note_written(&self, bucket: [u8; 2]) {
        let now = self.clock.uptime();
        let part = self.store.part(bucket);
        if let Some(over) = self.breaker.with(part, |part| part.written(now)) {
            trace::store_takes_writes_again(over);
        }
    }

    /// Notes that something was overwritten, such as the time of a use. A full server takes that, and
    /// nothing new.
    pub(crate) fn note_overwritten(&self, bucket: [u8; 2]) {
        let now = self.clock.uptime();
        let part = self.store.part(bucket);
        self.breaker.with(part, |part| part.overwritten(now));
    }

    /// Fails unless the part of the store that has a bucket can be written: it has been within the
    /// last second, or is now. A trial that failed counts for a second, too.
    pub(crate) async fn ensure_writable(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        let now = self.clock.uptime();
        let part = self.store.part(bucket);
        if self
            .breaker
            .with(part, |part| part.is_shown_unwritable(now))
        {
            let within = "a write has failed within the last second";
            return Err(StoreError::unavailable(within));
        }
        let written = self.try_writing(bucket).await;
        written.map_err(StoreError::about_no_record)
    }

    /// Fails if a login would spend its code for nothing, as far as that can be known before its
    /// user is: where a server that answers has refused the last write, and still does. A part of
    /// the store that is down concerns its own users only.
    pub(crate) async fn ensure_logins(&self) -> Result<(), StoreError> {
        let mut buckets = self.breaker.unwritten_buckets();
        if buckets.is_empty() && self.store.part([0, 0]) == WHOLE {
            buckets.push([0, 0]);
        }
        for bucket in buckets {
            let written = self.try_writing(bucket).await;
            let is_whole = self.store.part(bucket) == WHOLE;
            match written {
                Err(error) if is_whole || error.is_unwritten() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// A bucket of each part of the store.
    pub(crate) fn buckets_of_parts(&self) -> Vec<[u8; 2]> {
        let mut parts = BTreeMap::new();
        for bucket in (0..=u16::MAX).map(u16::to_be_bytes) {
            parts.entry(self.store.part(bucket)).or_insert(bucket);
        }
        parts.into_values().collect()
    }

    /// One write tells all who want to know: hundreds of logins come at once, and so many writes would take
    /// the place of their sessions'.
    pub(crate) async fn try_writing(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        let part = self.store.part(bucket);
        self.trials.join(part, self.try_writing_alone(bucket)).await
    }

    async fn try_writing_alone(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        let part = self.store.part(bucket);
        let is_shown = |now| self.breaker.with(part, |part| part.is_shown_writable(now));
        if is_shown(self.clock.uptime()) {
            return Ok(());
        }
        let written = self.write(bucket, |store| store.writable(bucket)).await;
        match &written {
            Ok(()) => self.note_written(bucket),
            Err(_) => {
                let now = self.clock.uptime();
                self.breaker.with(part, |part| part.trial_write_failed(now));
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::identity::Identity;
    use crate::session::{Record, Touch};
    use crate::store::{
        Feed, Insert, Inserted, Loaded, MemoryStore, PutSessionKey, Revoke, Rotate, Rotated,
    };
    use crate::time::{Clock, Timestamp};
    use crate::token::{SessionId, TagKey};

    /// Takes its time for trial writes, and counts them.
    #[derive(Default)]
    struct Slow {
        inner: MemoryStore,
        trials: AtomicUsize,
    }

    macro_rules! forward {
        ($($method:ident($($argument:ident: $type:ty)?) -> $answer:ty;)*) => {
            impl SessionStore for Slow {
                $(async fn $method(&self $(, $argument: $type)?) -> Result<$answer, StoreError> {
                    if stringify!($method) == "writable" {
                        self.trials.fetch_add(1, Ordering::Relaxed);
                        sleep(Duration::from_millis(100)).await;
                    }
                    self.inner.$method($($argument)?).await
                })*
            }
        };
    }

    crate::store::for_each_operation!(forward);

    #[tokio::test(start_paused = true)]
    async fn logins_that_come_at_once_share_one_trial() {
        let (clock, deadline) = (Clock::monotonic(), Duration::from_millis(250));
        let upstream = Upstream::new(Slow::default(), deadline, 256, clock);
        let logins = (0..500).map(|_| upstream.ensure_logins());
        for tried in futures_util::future::join_all(logins).await {
            tried.unwrap();
        }
        assert_eq!(upstream.store.0.trials.load(Ordering::Relaxed), 1);
    }
}
