//! What the handles and the threads of a store share.

use tokio::sync::oneshot;

use super::disk::Disk;
use super::fault::Fault;
use super::job::{Job, Operation};
use super::queue::Queue;
use super::read::{Read, Reading};
use super::transaction::{Transaction, transact};
use super::writer::Order;
use crate::backend::feeds::Feeds;
use crate::store::StoreError;
use crate::time::Clock;
use crate::token::SessionId;

pub(super) struct Inner {
    pub(super) disk: Disk,
    pub(super) clock: Clock,
    pub(super) reads: Queue<Box<dyn Read>>,
    pub(super) writes: Queue<Order>,
    pub(super) feeds: Feeds,
}

impl Inner {
    pub(super) fn new(disk: Disk, clock: Clock) -> Self {
        Self {
            disk,
            clock,
            reads: Queue::default(),
            writes: Queue::default(),
            feeds: Feeds::default(),
        }
    }

    /// Has a thread read.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        operate: impl Fn(&redb::ReadTransaction) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reading, answer) = Reading::new(operate);
        if !self.reads.push(Box::new(reading)) {
            return Err(too_many());
        }
        answer.await.unwrap_or_else(|_| Err(too_many()))
    }

    /// Has the writer make an operation, which is on the disk when this returns.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        operate: impl FnOnce(&mut Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (operation, answer) = Operation::new(operate);
        let job: Box<dyn Job> = Box::new(operation);
        if !self.writes.push(Order::Run(job)) {
            return Err(too_many());
        }
        answer.await.unwrap_or_else(|_| Err(too_many()))
    }

    /// Has the writer copy the file.
    pub(super) async fn compact(&self) -> Result<u64, StoreError> {
        let (waiter, answer) = oneshot::channel();
        if !self.writes.push(Order::Compact(waiter)) {
            return Err(too_many());
        }
        answer.await.unwrap_or_else(|_| Err(too_many()))
    }

    /// One transaction, on the thread that calls this.
    pub(super) fn transact(
        &self,
        announced: &mut Vec<SessionId>,
        operate: impl FnOnce(&mut Transaction<'_>) -> Result<(), Fault>,
    ) -> Result<(), StoreError> {
        let disk = &self.disk;
        disk.with(|database| transact(database, &self.clock, announced, operate))
    }

    /// Lets the threads finish what waits, and end. The last of them closes the file.
    pub(super) fn close(&self) {
        self.reads.close();
        self.writes.close();
    }
}

fn too_many() -> StoreError {
    StoreError::unavailable("too many operations wait for the disk")
}
