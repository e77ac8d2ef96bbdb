//! Requests that come while others are under way, answered together.

mod queue;
#[cfg(test)]
mod tests;
mod turn;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use self::queue::{Answered, BATCHES, Queue};
use self::turn::Turn;
use crate::store::StoreError;
use crate::sync::Lock;

/// After this long a batch is taken for one that nobody drives any more: its runtime may be one that
/// stands still.
const OVERDUE: Duration = Duration::from_secs(3);

/// Gathers requests: one that comes alone waits for nobody, those that come while enough are under way go
/// together as soon as one of these has ended, or is held for too slow.
pub(super) struct Batches<Q, A>(Arc<Lock<Queue<Q, A>>>);

/// What becomes of a question.
enum Way<Q, A> {
    /// It is asked at once, by itself.
    Alone(Q, Turn<Q, A>),
    /// It goes with others, at once.
    Together(Answered<A>, Turn<Q, A>),
    /// It is the first of the next batch, and has that asked itself after so long: nobody else may come who would.
    First(Answered<A>, Duration),
    /// It is in the next batch, behind its first.
    Behind(Answered<A>),
}

impl<Q: Send + 'static, A: Send + 'static> Batches<Q, A> {
    /// Asks, alone or with others; `ask` answers all questions in their order.
    ///
    /// A failure is that of every request in its batch. Whoever stops waiting takes nothing from the
    /// others; a batch that nobody waits for any longer is dropped, so that a server that never answers
    /// holds nothing up.
    pub(super) async fn ask<F>(
        &self,
        question: Q,
        ask: impl Fn(Vec<Q>) -> F + Send + 'static,
    ) -> Result<A, StoreError>
    where
        F: Future<Output = Result<Vec<A>, StoreError>> + Send + 'static,
    {
        match self.way(question) {
            Way::Alone(question, turn) => {
                let answering = ask(vec![question]);
                // Also if this is dropped: those who came meanwhile wait for it.
                let _others = Ended(Some(|| turn.go_on(ask)));
                let answer = answering.await?.pop();
                answer.ok_or_else(|| StoreError::unavailable("no answer"))
            }
            Way::Together(answered, turn) => {
                turn.go_on(ask);
                answer(answered).await
            }
            Way::First(mut answered, at_most) => {
                // Boxed, because there is one in a batch, and all would be as large.
                let answered_soon = Box::pin(timeout(at_most, &mut answered)).await;
                if let Ok(answer) = answered_soon {
                    return answer.map_err(StoreError::unavailable)?;
                }
                let again = self.0.lock().begin_again();
                if let Some(turn) = again.map(|number| self.turn(number)) {
                    turn.go_on(ask);
                }
                answer(answered).await
            }
            Way::Behind(answered) => answer(answered).await,
        }
    }

    /// Alone, and at once, unless enough is under way.
    fn way(&self, question: Q) -> Way<Q, A> {
        let mut queue = self.0.lock();
        let turn = queue.begin_for_another().map(|number| self.turn(number));
        let is_first = queue.nobody_waits();
        match turn {
            Some(turn) if is_first => Way::Alone(question, turn),
            Some(turn) => Way::Together(queue.join(question), turn),
            None if is_first => Way::First(queue.join(question), queue.holds_up()),
            None => Way::Behind(queue.join(question)),
        }
    }

    fn turn(&self, number: u64) -> Turn<Q, A> {
        Turn::new(Arc::clone(&self.0), number)
    }
}

async fn answer<A>(answered: Answered<A>) -> Result<A, StoreError> {
    answered.await.map_err(StoreError::unavailable)?
}

impl<Q, A> Batches<Q, A> {
    /// Where so many may be under way by themselves, or two batches, each of which holds others up for so long at
    /// most, or until its answer: few are quicker by themselves, and a server that is far away, or slow, would
    /// cost those who wait more than they save.
    #[cfg(any(feature = "redis", feature = "mysql", test))]
    pub(super) fn beyond(at_once: usize, holds_up: Duration) -> Self {
        Self::new(at_once, holds_up)
    }

    /// One batch after the other, where the server does one after the other anyway: two of them would be half
    /// as large each.
    #[cfg(feature = "postgres")]
    pub(super) fn one_at_a_time() -> Self {
        Self::new(1, OVERDUE)
    }

    fn new(places: usize, holds_up: Duration) -> Self {
        Self(Arc::new(Lock::from(Queue::new(places, holds_up))))
    }
}

impl<Q, A> Default for Batches<Q, A> {
    fn default() -> Self {
        Self::new(BATCHES, OVERDUE)
    }
}

impl<Q, A> Clone for Batches<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Does something when it is dropped.
struct Ended<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Ended<F> {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then();
        }
    }
}
