//! What waits for the next batch, and what is under way.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::store::StoreError;

/// Requests that go together at most.
const LARGEST: usize = 32;
/// Batches under way at the same time: one is made up while the server answers the other. More of them would
/// be smaller.
pub(super) const BATCHES: usize = 2;

/// Requests in their order, and the turns in which requests and batches are under way.
pub(super) struct Queue<Q, A> {
    /// Places for what is under way at the same time: a request takes one.
    places: usize,
    /// How long what is under way holds others up.
    holds_up: Duration,
    waiting: VecDeque<Request<Q, A>>,
    turns: Vec<UnderWay>,
    turns_taken: u64,
}

/// What is under way in a turn.
struct UnderWay {
    turn: u64,
    places: usize,
    began: Instant,
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
    pub(super) const fn new(places: usize, holds_up: Duration) -> Self {
        Self {
            places,
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

    /// The number of a turn for those who wait and one who has just come, unless enough is under way.
    pub(super) fn begin_for_another(&mut self) -> Option<u64> {
        self.begin(self.waiting.len() + 1)
    }

    /// The same for those who wait.
    pub(super) fn begin_again(&mut self) -> Option<u64> {
        self.begin(self.waiting.len())
    }

    fn begin(&mut self, requests: usize) -> Option<u64> {
        self.turns_taken += 1;
        self.enter(self.turns_taken, requests)
            .then_some(self.turns_taken)
    }

    pub(super) fn end(&mut self, turn: u64) {
        self.turns.retain(|under_way| under_way.turn != turn);
    }

    /// The next batch of a turn, whose time begins anew with it. Without one the turn is over in the same
    /// moment, so that whoever comes next begins another; others are under way then, or nobody waits.
    pub(super) fn next_batch(&mut self, turn: u64) -> Option<Batch<Q, A>> {
        self.end(turn);
        // Nobody waits any longer for what the server was too slow for.
        self.waiting.retain(|request| !request.answer.is_closed());
        let count = self.waiting.len().min(LARGEST);
        if count == 0 || !self.enter(turn, count) {
            return None;
        }
        let batch = self.waiting.drain(..count);
        Some(batch.map(|r| (r.question, r.answer)).unzip())
    }

    /// Has so many requests under way in a turn, if there are places for them.
    fn enter(&mut self, turn: u64, requests: usize) -> bool {
        let places = match requests {
            1 => 1,
            _ => (self.places / BATCHES).max(1),
        };
        if !self.has_free(places) {
            let holds_up = self.holds_up;
            self.turns.retain(|turn| turn.began.elapsed() < holds_up);
        }
        let may_enter = self.has_free(places);
        if may_enter {
            let began = Instant::now();
            self.turns.push(UnderWay {
                turn,
                places,
                began,
            });
        }
        may_enter
    }

    fn has_free(&self, places: usize) -> bool {
        let taken: usize = self.turns.iter().map(|turn| turn.places).sum();
        taken + places <= self.places
    }
}
