//! An operation that waits for its transaction, and whoever waits for its answer.

use tokio::sync::oneshot;

use super::fault::Fault;
use super::transaction::Transaction;
use crate::store::StoreError;

/// An operation, whatever its answer is.
pub(super) trait Job: Send {
    /// Nobody wants the answer of one that was given up before it began.
    fn is_wanted(&self) -> bool;

    /// Makes the operation. An error is one of the whole transaction.
    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Fault>;

    /// Answers, once it is known what became of the transaction.
    fn finish(self: Box<Self>, committed: &Result<(), StoreError>);
}

/// What is to be done, and then what came of it.
pub(super) struct Operation<F, T> {
    operate: Option<F>,
    answer: Option<Result<T, StoreError>>,
    waiter: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Operation<F, T> {
    pub(super) fn new(operate: F) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (waiter, answer) = oneshot::channel();
        let operation = Self {
            operate: Some(operate),
            answer: None,
            waiter,
        };
        (operation, answer)
    }
}

impl<F, T> Job for Operation<F, T>
where
    F: FnOnce(&mut Transaction<'_>) -> Result<T, Fault> + Send,
    T: Send,
{
    fn is_wanted(&self) -> bool {
        !self.waiter.is_closed()
    }

    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Fault> {
        let Some(operate) = self.operate.take() else {
            return Ok(());
        };
        self.answer = Some(match operate(transaction) {
            Ok(answer) => Ok(answer),
            Err(Fault::Record(error)) => Err(error),
            Err(fault) => return Err(fault),
        });
        Ok(())
    }

    fn finish(self: Box<Self>, committed: &Result<(), StoreError>) {
        let answer = committed.clone().and(self.answer.unwrap_or_else(not_run));
        // Whoever gave up waiting knows that it may have been done.
        let _ = self.waiter.send(answer);
    }
}

fn not_run<T>() -> Result<T, StoreError> {
    Err(StoreError::unavailable("the operation did not run"))
}
