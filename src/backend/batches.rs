//! Requests that come while others are under way, answered together.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::store::StoreError;
use crate::sync::Lock;

/// Batches under way at the same time, unless they have to be one after the other: one is made up while the server answers the other.
const IN_FLIGHT: usize = 2;
/// Requests that go together at most.
const LARGEST: usize = 32;
/// After this long a batch is taken for one that nobody drives any more: its runtime may be one that
/// stands still.
const OVERDUE: Duration = Duration::from_secs(3);

/// Gathers requests: one that comes alone waits for nobody, those that come while two batches are under
/// way go together in the next one.
pub(super) struct Batches<Q, A>(Arc<Lock<Queue<Q, A>>>);

struct Queue<Q, A> {
    /// Batches under way at the same time.
    at_once: usize,
    waiting: VecDeque<Request<Q, A>>,
    /// When the batch of each turn began.
    turns: Vec<(u64, Instant)>,
    turns_taken: u64,
}

struct Request<Q, A> {
    question: Q,
    answer: Answer<A>,
}

type Answer<A> = oneshot::Sender<Result<A, StoreError>>;

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
        let (answer, answered) = oneshot::channel();
        if let Some(turn) = self.enqueue(Request { question, answer }) {
            tokio::spawn(turn.run(ask));
        }
        answered.await.map_err(StoreError::unavailable)?
    }

    /// A turn to begin, unless enough are under way.
    fn enqueue(&self, request: Request<Q, A>) -> Option<Turn<Q, A>> {
        let mut queue = self.0.lock();
        queue.waiting.push_back(request);
        queue.turns.retain(|(_, began)| began.elapsed() < OVERDUE);
        (queue.turns.len() < queue.at_once).then(|| {
            queue.turns_taken += 1;
            let number = queue.turns_taken;
            queue.turns.push((number, Instant::now()));
            Turn {
                queue: Arc::clone(&self.0),
                number,
            }
        })
    }
}

impl<Q, A> Batches<Q, A> {
    /// One batch after the other, where the server does one after the other anyway: two of them would be half
    /// as large each.
    #[cfg(feature = "postgres")]
    pub(super) fn one_at_a_time() -> Self {
        Self::at_once(1)
    }

    fn at_once(at_once: usize) -> Self {
        Self(Arc::new(Lock::from(Queue {
            at_once,
            waiting: VecDeque::new(),
            turns: Vec::new(),
            turns_taken: 0,
        })))
    }
}

impl<Q, A> Default for Batches<Q, A> {
    fn default() -> Self {
        Self::at_once(IN_FLIGHT)
    }
}

impl<Q, A> Clone for Batches<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// One batch after another, for as long as requests wait. Its runtime may end at any point: the next
/// request begins another turn then, and takes along what waits.
struct Turn<Q, A> {
    queue: Arc<Lock<Queue<Q, A>>>,
    number: u64,
}

impl<Q, A> Turn<Q, A> {
    async fn run<F>(self, ask: impl Fn(Vec<Q>) -> F)
    where
        F: Future<Output = Result<Vec<A>, StoreError>>,
    {
        while let Some((questions, mut waiting)) = self.next() {
            let answers = tokio::select! {
                answers = ask(questions) => answers,
                () = all_gone(&mut waiting) => continue,
            };
            hand_out(answers, waiting);
        }
    }

    /// The next batch. Without one the turn is over in the same moment, so that whoever comes next
    /// begins another.
    fn next(&self) -> Option<(Vec<Q>, Vec<Answer<A>>)> {
        let mut queue = self.queue.lock();
        queue.turns.retain(|(number, _)| *number != self.number);
        // Nobody waits any longer for what the server was too slow for.
        queue.waiting.retain(|request| !request.answer.is_closed());
        let count = queue.waiting.len().min(LARGEST);
        if count == 0 {
            return None;
        }
        queue.turns.push((self.number, Instant::now()));
        let batch = queue.waiting.drain(..count);
        Some(batch.map(|r| (r.question, r.answer)).unzip())
    }
}

impl<Q, A> Drop for Turn<Q, A> {
    fn drop(&mut self) {
        let mut queue = self.queue.lock();
        queue.turns.retain(|(number, _)| *number != self.number);
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Mutex;

    use tokio::sync::Semaphore;
    use tokio::task::{JoinSet, yield_now};
    use tokio::time::advance;

    use super::*;

    /// Doubles numbers, when it may, and notes what came together.
    #[derive(Clone)]
    struct Server {
        batches: Batches<u32, u32>,
        may_answer: Arc<Semaphore>,
        sizes: Arc<Mutex<Vec<usize>>>,
    }

    impl Server {
        fn new(permits: usize) -> Self {
            Self {
                batches: Batches::default(),
                may_answer: Arc::new(Semaphore::new(permits)),
                sizes: Arc::default(),
            }
        }

        async fn double(self, number: u32) -> Result<u32, StoreError> {
            let Self {
                batches,
                may_answer,
                sizes,
            } = self;
            let ask = move |numbers: Vec<u32>| {
                sizes.lock().unwrap().push(numbers.len());
                let may_answer = Arc::clone(&may_answer);
                async move {
                    may_answer.acquire().await.unwrap().forget();
                    Ok(numbers.into_iter().map(|number| 2 * number).collect())
                }
            };
            batches.ask(number, ask).await
        }

        fn sizes(&self) -> Vec<usize> {
            self.sizes.lock().unwrap().clone()
        }
    }

    async fn settle() {
        for _ in 0..100 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_alone_waits_for_nobody_and_those_that_wait_go_together() {
        let server = Server::new(0);
        let mut asked = JoinSet::new();
        for number in 0..2 {
            asked.spawn(server.clone().double(number));
            settle().await;
        }
        asked.spawn(server.clone().double(2));
        settle().await;
        assert_eq!(server.sizes(), [1, 1], "two are under way");
        for number in 3..40 {
            asked.spawn(server.clone().double(number));
        }
        settle().await;
        server.may_answer.add_permits(10);
        let mut answers: Vec<_> = asked.join_all().await.into_iter().flatten().collect();
        answers.sort_unstable();
        assert_eq!(
            answers,
            (0..40).map(|number| 2 * number).collect::<Vec<_>>()
        );
        assert_eq!(server.sizes(), [1, 1, 32, 6]);
    }

    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn one_after_the_other_takes_along_all_who_wait() {
        let mut server = Server::new(0);
        server.batches = Batches::one_at_a_time();
        let mut asked = JoinSet::new();
        for number in 0..4 {
            asked.spawn(server.clone().double(number));
            settle().await;
        }
        server.may_answer.add_permits(2);
        assert_eq!(asked.join_all().await.into_iter().flatten().count(), 4);
        assert_eq!(server.sizes(), [1, 3]);
    }

    #[tokio::test]
    async fn whoever_stops_waiting_takes_nothing_from_the_others() {
        let server = Server::new(0);
        let mut asked = JoinSet::new();
        let gone = tokio::spawn(server.clone().double(0));
        for number in 1..3 {
            asked.spawn(server.clone().double(number));
        }
        settle().await;
        assert_eq!(server.sizes(), [3]);
        gone.abort();
        settle().await;
        server.may_answer.add_permits(1);
        assert_eq!(asked.join_all().await.into_iter().flatten().count(), 2);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_holds_nothing_up() {
        let server = Server::new(0);
        for _ in 0..3 {
            let asked = tokio::spawn(server.clone().double(1));
            settle().await;
            asked.abort();
            settle().await;
        }
        server.may_answer.add_permits(1);
        assert_eq!(server.clone().double(4).await.unwrap(), 8);
        assert_eq!(server.sizes(), [1; 4]);
    }

    #[tokio::test]
    async fn a_failure_is_that_of_the_whole_batch() {
        let batches = Batches::<u32, u32>::default();
        let ask = |_| ready(Err(StoreError::unavailable("down")));
        assert!(batches.ask(1, ask).await.is_err());
        let too_few = |_| ready(Ok(Vec::new()));
        assert!(batches.ask(1, too_few).await.is_err());
    }

    #[test]
    fn a_runtime_that_ends_takes_no_turn_along() {
        let batches = Batches::<u32, u32>::default();
        for _ in 0..3 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let asking = batches.clone();
            runtime.spawn(async move { asking.ask(1, |_| pending()).await });
            runtime.block_on(settle());
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let answer = runtime.block_on(batches.ask(1, |numbers| ready(Ok(numbers))));
        assert_eq!(answer.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_nobody_drives_is_overdue_after_three_seconds() {
        let batches = Batches::<u32, u32>::default();
        let request = || Request {
            question: 1,
            answer: oneshot::channel().0,
        };
        let stuck: Vec<_> = (0..IN_FLIGHT).map(|_| batches.enqueue(request())).collect();
        assert!(stuck.iter().all(Option::is_some));
        assert!(batches.enqueue(request()).is_none());
        advance(OVERDUE).await;
        let answer = batches.ask(2, |numbers| ready(Ok(numbers))).await;
        assert_eq!(answer.unwrap(), 2);
    }
}
