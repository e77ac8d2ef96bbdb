//! The right to have something under way.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::yield_now;

use super::queue::{Answer, Batch, Queue};
use crate::store::StoreError;
use crate::sync::Lock;

/// One request, and then one batch after another for as long as requests wait. Its runtime may end at
/// any point: the next request that is asked alone takes along what waits.
pub(super) struct Turn<Q, A> {
    queue: Arc<Lock<Queue<Q, A>>>,
    number: u64,
}

impl<Q: Send + 'static, A: Send + 'static> Turn<Q, A> {
    /// Has those answered who wait, in a task: most who ask alone leave nobody behind.
    pub(super) fn go_on<F>(self, ask: impl Fn(Vec<Q>) -> F + Send + 'static)
    where
        F: Future<Output = Result<Vec<A>, StoreError>> + Send + 'static,
    {
        if !self.ends_unless_awaited()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(self.run(ask));
        }
    }

    async fn run<F>(self, ask: impl Fn(Vec<Q>) -> F)
    where
        F: Future<Output = Result<Vec<A>, StoreError>>,
    {
        loop {
            // Those who have their answers by now may ask for more, and go along.
            yield_now().await;
            let Some((questions, mut waiting)) = self.next_batch() else {
                return;
            };
            tokio::select! {
                answers = ask(questions) => hand_out(answers, waiting),
                () = all_gone(&mut waiting) => {}
            }
        }
    }
}

impl<Q, A> Turn<Q, A> {
    pub(super) const fn new(queue: Arc<Lock<Queue<Q, A>>>, number: u64) -> Self {
        Self { queue, number }
    }

    /// Takes the lock for as long as this: in the condition of a loop it would be held through the loop.
    fn next_batch(&self) -> Option<Batch<Q, A>> {
        self.queue.lock().next_batch(self.number)
    }

    /// Ends the turn if nobody waits, and says so: in the same moment, so that whoever comes next begins
    /// another.
    fn ends_unless_awaited(&self) -> bool {
        let mut queue = self.queue.lock();
        let ends = queue.nobody_waits();
        if ends {
            queue.end(self.number);
        }
        ends
    }
}

impl<Q, A> Drop for Turn<Q, A> {
    fn drop(&mut self) {
        self.queue.lock().end(self.number);
    }
}

/// Returns when nobody waits any longer.
async fn all_gone<A>(waiting: &mut [Answer<A>]) {
    for waiter in waiting {
        waiter.closed().await;
    }
}

fn hand_out<A>(answers: Result<Vec<A>, StoreError>, waiting: Vec<Answer<A>>) {
    match answers {
        // Should one be missing, its waiter finds that nobody answers.
        Ok(answers) => {
            for (answer, waiter) in answers.into_iter().zip(waiting) {
                let _ = waiter.send(Ok(answer));
            }
        }
        Err(error) => {
            for waiter in waiting {
                let _ = waiter.send(Err(error.clone()));
            }
        }
    }
}
