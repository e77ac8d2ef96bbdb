//! Requests that come while others are under way, answered together.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::store::StoreError;
use crate::sync::Lock;

/// Requests and batches under way at the same time, unless they have to go one after the other: one is made up
/// while the server answers the other.
const IN_FLIGHT: usize = 2;
/// Requests that go together at most.
const LARGEST: usize = 32;
/// After this long a batch is taken for one that nobody drives any more: its runtime may be one that
/// stands still.
const OVERDUE: Duration = Duration::from_secs(3);

/// Gathers requests: one that comes alone waits for nobody, those that come while enough are under way go
/// together as soon as one of these has ended, or is held for too slow.
pub(super) struct Batches<Q, A>(Arc<Lock<Queue<Q, A>>>);

struct Queue<Q, A> {
    /// Requests and batches under way at the same time.
    at_once: usize,
    /// How long what is under way holds others up.
    holds_up: Duration,
    waiting: VecDeque<Request<Q, A>>,
    /// When what is under way in each turn began.
    turns: Vec<(u64, Instant)>,
    turns_taken: u64,
}

struct Request<Q, A> {
    question: Q,
    answer: Answer<A>,
}

type Answer<A> = oneshot::Sender<Result<A, StoreError>>;

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

type Answered<A> = oneshot::Receiver<Result<A, StoreError>>;

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
                let turn = self.turn(&mut self.0.lock());
                if let Some(turn) = turn {
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
        let (turn, is_first) = (self.turn(&mut queue), queue.waiting.is_empty());
        match turn {
            Some(turn) if is_first => Way::Alone(question, turn),
            Some(turn) => Way::Together(queue.join(question), turn),
            None if is_first => Way::First(queue.join(question), queue.holds_up),
            None => Way::Behind(queue.join(question)),
        }
    }

    fn turn(&self, queue: &mut Queue<Q, A>) -> Option<Turn<Q, A>> {
        queue.turn().map(|number| Turn {
            queue: Arc::clone(&self.0),
            number,
        })
    }
}

async fn answer<A>(answered: Answered<A>) -> Result<A, StoreError> {
    answered.await.map_err(StoreError::unavailable)?
}

impl<Q, A> Queue<Q, A> {
    /// Waits for the next batch.
    fn join(&mut self, question: Q) -> Answered<A> {
        let (answer, answered) = oneshot::channel();
        self.waiting.push_back(Request { question, answer });
        answered
    }

    /// The number of another turn, unless enough is under way.
    fn turn(&mut self) -> Option<u64> {
        if self.turns.len() >= self.at_once {
            let holds_up = self.holds_up;
            self.turns.retain(|(_, began)| began.elapsed() < holds_up);
        }
        (self.turns.len() < self.at_once).then(|| {
            self.turns_taken += 1;
            self.turns.push((self.turns_taken, Instant::now()));
            self.turns_taken
        })
    }
}

impl<Q, A> Batches<Q, A> {
    /// Where many may be under way, each of which holds others up for so long at most, or until its answer:
    /// few are quicker by themselves, and a server that is far away, or slow, would cost those who wait more
    /// than they save.
    #[cfg(any(feature = "redis", test))]
    pub(super) fn beyond(at_once: usize, holds_up: Duration) -> Self {
        Self::new(at_once, holds_up)
    }

    /// One batch after the other, where the server does one after the other anyway: two of them would be half
    /// as large each.
    #[cfg(feature = "postgres")]
    pub(super) fn one_at_a_time() -> Self {
        Self::new(1, OVERDUE)
    }

    fn new(at_once: usize, holds_up: Duration) -> Self {
        Self(Arc::new(Lock::from(Queue {
            at_once,
            holds_up,
            waiting: VecDeque::new(),
            turns: Vec::new(),
            turns_taken: 0,
        })))
    }
}

impl<Q, A> Default for Batches<Q, A> {
    fn default() -> Self {
        Self::new(IN_FLIGHT, OVERDUE)
    }
}

impl<Q, A> Clone for Batches<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// One request, and then one batch after another for as long as requests wait. Its runtime may end at
/// any point: the next request that is asked alone takes along what waits.
struct Turn<Q, A> {
    queue: Arc<Lock<Queue<Q, A>>>,
    number: u64,
}

impl<Q: Send + 'static, A: Send + 'static> Turn<Q, A> {
    /// Has those answered who wait, in a task: most who ask alone leave nobody behind.
    fn go_on<F>(self, ask: impl Fn(Vec<Q>) -> F + Send + 'static)
    where
        F: Future<Output = Result<Vec<A>, StoreError>> + Send + 'static,
    {
        if !self.is_over()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(self.run(ask));
        }
    }

    async fn run<F>(self, ask: impl Fn(Vec<Q>) -> F)
    where
        F: Future<Output = Result<Vec<A>, StoreError>>,
    {
        while let Some((questions, mut waiting)) = self.next() {
            tokio::select! {
                answers = ask(questions) => hand_out(answers, waiting),
                () = all_gone(&mut waiting) => {}
            }
        }
    }
}

/// Questions, and who waits for the answer of each.
type Batch<Q, A> = (Vec<Q>, Vec<Answer<A>>);

impl<Q, A> Turn<Q, A> {
    /// Whether nobody waits. Then it is over in the same moment, so that whoever comes next begins
    /// another.
    fn is_over(&self) -> bool {
        let mut queue = self.queue.lock();
        let is_over = queue.waiting.is_empty();
        if is_over {
            queue.turns.retain(|(number, _)| *number != self.number);
        }
        is_over
    }

    /// The next batch. Without one the turn is over in the same moment, so that whoever comes next
    /// begins another.
    fn next(&self) -> Option<Batch<Q, A>> {
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

/// Does something when it is dropped.
struct Ended<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for Ended<F> {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then();
        }
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
        assert_eq!(server.sizes(), [1; 2], "the third waits");
        gone.abort();
        settle().await;
        assert_eq!(server.sizes(), [1; 3]);
        server.may_answer.add_permits(2);
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
        let stuck: Vec<_> = (0..IN_FLIGHT).map(|_| batches.way(1)).collect();
        assert!(stuck.iter().all(|way| matches!(way, Way::Alone(..))));
        let Way::First(waiting, OVERDUE) = batches.way(3) else {
            panic!("enough are under way");
        };
        advance(OVERDUE).await;
        let answer = batches.ask(2, |numbers| ready(Ok(numbers))).await;
        assert_eq!(answer.unwrap(), 2);
        assert_eq!(waiting.await.unwrap().unwrap(), 3, "it is taken along");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_to_a_slow_server_waits_a_moment_and_no_longer() {
        let moment = Duration::from_millis(1);
        let mut server = Server::new(0);
        server.batches = Batches::beyond(IN_FLIGHT, moment);
        let mut asked = JoinSet::new();
        for number in 0..4 {
            asked.spawn(server.clone().double(number));
        }
        settle().await;
        assert_eq!(server.sizes(), [1, 1], "two wait");
        advance(moment).await;
        asked.spawn(server.clone().double(4));
        settle().await;
        assert_eq!(server.sizes(), [1, 1, 3]);
        server.may_answer.add_permits(3);
        assert_eq!(asked.join_all().await.into_iter().flatten().count(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn so_does_whoever_comes_last() {
        let moment = Duration::from_millis(1);
        let mut server = Server::new(0);
        server.batches = Batches::beyond(IN_FLIGHT, moment);
        let mut asked = JoinSet::new();
        for number in 0..4 {
            asked.spawn(server.clone().double(number));
        }
        settle().await;
        advance(2 * moment).await;
        settle().await;
        assert_eq!(server.sizes(), [1, 1, 2]);
        server.may_answer.add_permits(3);
        assert_eq!(asked.join_all().await.into_iter().flatten().count(), 4);
    }
}
