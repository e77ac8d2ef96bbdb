//! What waits for the next batch, and what is under way.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::store::StoreError;

/// Requests that go together at most.
const LARGEST: usize = 32;

/// Requests in their order, and the turns in which requests and batches are under way.
pub(super) struct Queue<Q, A> {
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

pub(super) type Answer<A> = oneshot::Sender<Result<A, StoreError>>;
pub(super) type Answered<A> = oneshot::Receiver<Result<A, StoreError>>;

/// Questions, and who waits for the answer of each.
pub(super) type Batch<Q, A> = (Vec<Q>, Vec<Answer<A>>);

impl<Q, A> Queue<Q, A> {
    pub(super) const fn new(at_once: usize, holds_up: Duration) -> Self {
        Self {
            at_once,
            holds_up,
            waiting: VecDeque::new(),
            turns: Vec::new(),
            turns_taken: 0,
        }
    }

    pub(super) const fn holds_up(&self) -> Duration {
        self.holds_up
    }

    pub(super) fn nobody_waits(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Waits for the next batch.
    pub(super) fn join(&mut self, question: Q) -> Answered<A> {
        let (answer, answered) = oneshot::channel();
        self.waiting.push_back(Request { question, answer });
        answered
    }

    /// The number of another turn, unless enough is under way.
    pub(super) fn begin(&mut self) -> Option<u64> {
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

    pub(super) fn end(&mut self, turn: u64) {
        self.turns.retain(|(number, _)| *number != turn);
    }

    /// The next batch of a turn, whose time begins anew with it. Without one the turn is over in the same
    /// moment, so that whoever comes next begins another.
    pub(super) fn next_batch(&mut self, turn: u64) -> Option<Batch<Q, A>> {
        self.end(turn);
        // Nobody waits any longer for what the server was too slow for.
        self.waiting.retain(|request| !request.answer.is_closed());
        let count = self.waiting.len().min(LARGEST);
        if count == 0 {
            return None;
        }
        self.turns.push((turn, Instant::now()));
        let batch = self.waiting.drain(..count);
        Some(batch.map(|r| (r.question, r.answer)).unzip())
    }
}
