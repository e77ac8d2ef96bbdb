//! How this node reaches a store: within a deadline, behind a breaker, seen by operators.
//!
//! [`read`](Upstream::read) and [`write`](Upstream::write) are the only ways to a store. It is
//! known here in parts that fail one by one and in buckets of them, never in sessions.
//!
//! Only reads open a breaker: a store that takes no writes still serves checks. What writes come to
//! says whether a login would spend its code for nothing, and whether uses may be missing.

use std::future::Future;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use crate::flights::Flights;
use crate::store::{Feed, Measured, SessionStore, StoreError};
use crate::time::{Clock, Moment, Timestamp};

mod breaker;
mod deadline;
mod gate;
mod outcome;
mod part;
mod writable;

use self::breaker::Breaker;
pub(crate) use self::deadline::{Deadline, within};

/// The longest that a link takes to open: it may need a connection to each server of a fleet, and
/// holds up nobody.
const SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);

/// The part that a store is which has no parts, and that of what concerns no bucket.
const WHOLE: u64 = 0;

/// The store, as far as this node can reach it.
pub(crate) struct Upstream<S> {
    store: Measured<S>,
    breaker: Breaker,
    deadline: Duration,
    clock: Clock,
    /// Writes that try whether a part can be written.
    trials: Flights<u64, Result<(), StoreError>>,
}

/// Where something is read or written: a part of the store, and a bucket in it if it concerns one.
#[derive(Clone, Copy)]
struct Place {
    part: u64,
    bucket: Option<[u8; 2]>,
}

impl<S: SessionStore> Upstream<S> {
    /// Up to `reads_in_flight` reads at the same time from one part, each within the `deadline`.
    pub(crate) fn new(store: S, deadline: Duration, reads_in_flight: usize, clock: Clock) -> Self {
        Self {
            store: Measured(store),
            breaker: Breaker::new(reads_in_flight),
            deadline,
            clock,
            trials: Flights::default(),
        }
    }

    /// Reads something of a bucket (`None`: of none) within the deadline, which is also that of its
    /// turn. Failures open the breaker of the part that has the bucket.
    pub(crate) async fn read<'a, T, F>(
        &'a self,
        bucket: impl Into<Option<[u8; 2]>>,
        read: impl FnOnce(&'a Measured<S>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let place = self.place(bucket.into());
        let _turn = self.turn(place).await?;
        let trial = self.breaker.admit(place.part, self.deadline)?;
        let answer = within(self.deadline, read(&self.store)).await;
        self.note_read(place, trial, &answer);
        answer
    }

    /// Writes something to a bucket (`None`: to none) within the deadline. No failure opens a
    /// breaker.
    pub(crate) async fn write<'a, T, F>(
        &'a self,
        bucket: impl Into<Option<[u8; 2]>>,
        write: impl FnOnce(&'a Measured<S>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.write_by(Deadline::after(self.deadline), bucket, write)
            .await
    }

    /// The same, where a part of the time until the deadline has passed already.
    pub(crate) async fn write_by<'a, T, F>(
        &'a self,
        deadline: Deadline,
        bucket: impl Into<Option<[u8; 2]>>,
        write: impl FnOnce(&'a Measured<S>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let place = self.place(bucket.into());
        let written = match self.try_first(place, deadline).await {
            Ok(()) => {
                let written = deadline.of(write(&self.store)).await;
                self.report(place, &written);
                written
            }
            Err(down) => Err(down),
        };
        self.note_write(place, &written);
        written
    }

    /// Opens a link, with more patience than a request has. Fails at once while the store is known
    /// to be down as a whole, unless it is its turn to try it.
    pub(crate) async fn subscribe(&self) -> Result<Feed, StoreError> {
        let whole = self.place(None);
        self.try_first(whole, Deadline::after(self.deadline))
            .await?;
        let opened = match within(SUBSCRIBE_WITHIN, self.store.subscribe()).await {
            Err(error) if self.takes_writes().await => Err(error.of_link_alone()),
            opened => opened,
        };
        self.report(whole, &opened);
        opened
    }

    /// Whether the store is well by itself: a link that leads past a pooler, or needs a right of its own, may
    /// fail all the same. Sessions end in time then, and are not waited for as in an outage.
    async fn takes_writes(&self) -> bool {
        let written = self.store.writable([0, 0]);
        within(self.deadline, written).await.is_ok()
    }

    /// Whether other processes can read what is written.
    pub(crate) fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// Whether any part of the store is down.
    pub(crate) fn is_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whether the part that has a bucket is down: one read at a time tries it, the others are refused.
    pub(crate) fn is_down(&self, bucket: impl Into<Option<[u8; 2]>>) -> bool {
        self.unless_down(bucket).is_err()
    }

    /// Fails while the part that has a bucket is down; does not try it.
    pub(crate) fn unless_down(&self, bucket: impl Into<Option<[u8; 2]>>) -> Result<(), StoreError> {
        if !self.breaker.is_open() {
            return Ok(());
        }
        self.breaker.unless_open(self.place(bucket.into()).part)
    }

    /// Forgets parts that are down and that nobody came to for long: their servers may be gone.
    pub(crate) fn forget_deserted(&self) {
        self.breaker.forget_deserted();
    }

    /// Ends when a part of the store is back. Whoever waits borrows nothing for that.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + use<S> {
        self.breaker.closed()
    }

    /// Whether a use `at` a time on the store's clock may not have been written yet: in an outage of
    /// its part, which is over for a few seconds at most.
    pub(crate) fn may_lack_use(&self, bucket: [u8; 2], at: Timestamp) -> bool {
        let Moment { fleet, local } = self.clock.read();
        let at = local.before(fleet.since(at));
        let part = self.store.part(bucket);
        self.breaker.with(part, |part| part.may_lack_use(at, local))
    }

    fn place(&self, bucket: Option<[u8; 2]>) -> Place {
        Place {
            part: bucket.map_or(WHOLE, |bucket| self.store.part(bucket)),
            bucket,
        }
    }

    /// Waits for its turn among those who read from the same part, but not for a part that is down.
    async fn turn(&self, place: Place) -> Result<OwnedSemaphorePermit, StoreError> {
        let turns = self.breaker.turns(place.part);
        if let Ok(turn) = turns.clone().try_acquire_owned() {
            return Ok(turn);
        }
        self.breaker.unless_open(place.part)?;
        let turn = async { turns.acquire_owned().await.map_err(StoreError::unavailable) };
        // Boxed, like all that is rare, so that no future is large for its sake.
        Box::pin(within(self.deadline, turn)).await
    }

    /// A write cannot be the trial of a part that is down: it may fail where reads are answered. So
    /// a read comes first, if it is its turn to try.
    async fn try_first(&self, place: Place, deadline: Deadline) -> Result<(), StoreError> {
        let Some(trial) = self.breaker.admit(place.part, self.deadline)? else {
            return Ok(());
        };
        let reached = Box::pin(deadline.of(self.reach(place))).await;
        self.note_read(place, Some(trial), &reached);
        reached
    }

    async fn reach(&self, place: Place) -> Result<(), StoreError> {
        match place.bucket {
            Some(bucket) => self.store.reach(bucket).await,
            None => self.store.now().await.map(drop),
        }
    }
}
