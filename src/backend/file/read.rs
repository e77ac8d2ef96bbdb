//! A read that waits for a thread, and whoever waits for its answer.

use redb::ReadTransaction;
use tokio::sync::oneshot;

use super::fault::Fault;
use crate::store::StoreError;

/// A read, whatever its answer is.
pub(super) trait Read: Send {
    /// Reads and answers, unless that is done already or nobody waits any longer.
    fn run(&mut self, reading: &ReadTransaction) -> Result<(), Fault>;

    /// Answers what could not be read.
    fn fail(self: Box<Self>, error: &StoreError);
}

pub(super) struct Reading<F, T> {
    operate: F,
    waiter: Option<oneshot::Sender<Result<T, StoreError>>>,
}

impl<F, T> Reading<F, T> {
    pub(super) fn new(operate: F) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (waiter, answer) = oneshot::channel();
        let waiter = Some(waiter);
        (Self { operate, waiter }, answer)
    }
}

impl<F, T> Read for Reading<F, T>
where
    F: Fn(&ReadTransaction) -> Result<T, Fault> + Send,
    T: Send,
{
    fn run(&mut self, reading: &ReadTransaction) -> Result<(), Fault> {
        let waiter = self.waiter.as_ref();
        if waiter.is_none_or(oneshot::Sender::is_closed) {
            return Ok(());
        }
        let answer = match (self.operate)(reading) {
            Err(Fault::Record(error)) => Err(error),
            read => Ok(read?),
        };
        if let Some(waiter) = self.waiter.take() {
            let _ = waiter.send(answer);
        }
        Ok(())
    }

    fn fail(self: Box<Self>, error: &StoreError) {
        if let Some(waiter) = self.waiter {
            let _ = waiter.send(Err(error.clone()));
        }
    }
}
