use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::sync::Lock;

/// Parts of the map, so that those who want to know different things seldom meet at a lock.
const SHARDS: usize = 64;

/// Single flight: one at a time finds something out, for all who want to know the same.
///
/// It caches nothing: a flight that ends takes its cell out of the map before anybody has its
/// answer, so whoever comes later begins another one.
pub(crate) struct Flights<K, A, H = RandomState> {
    shards: Box<[Shard<K, A, H>]>,
    hasher: H,
}

/// The flights under way of some keys.
type Shard<K, A, H> = Lock<HashMap<K, Arc<OnceCell<A>>, H>>;

impl<K: Copy + Eq + Hash, A: Clone, H: BuildHasher> Flights<K, A, H> {
    /// Finds out by `flight`, or waits for the answer of another one.
    ///
    /// # Concurrent calls for the same key
    ///
    /// One of them runs its `flight`; the others wait for its answer. If it is dropped, or panics,
    /// another one takes over with its own.
    pub(crate) async fn join(&self, key: K, flight: impl Future<Output = A>) -> A {
        let seat = self.board(key);
        let fly = async || {
            let answer = flight.await;
            seat.leave_map();
            answer
        };
        seat.cell.get_or_init(fly).await.clone()
    }

    fn board(&self, key: K) -> Seat<'_, K, A, H> {
        // By bits that the map within does not go by.
        let shard = self.hasher.hash_one(key) >> 32;
        let shard = &self.shards[shard as usize % SHARDS];
        let cell = Arc::clone(shard.lock().entry(key).or_default());
        Seat { shard, key, cell }
    }
}

impl<K, A, H: BuildHasher + Clone + Default> Default for Flights<K, A, H> {
    fn default() -> Self {
        let hasher = H::default();
        let shard = || Lock::from(HashMap::with_hasher(hasher.clone()));
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher,
        }
    }
}

/// A place among those who want to know the same. The last one to leave takes the cell along.
struct Seat<'a, K: Copy + Eq + Hash, A, H: BuildHasher> {
    shard: &'a Shard<K, A, H>,
    key: K,
    cell: Arc<OnceCell<A>>,
}

impl<K: Copy + Eq + Hash, A, H: BuildHasher> Seat<'_, K, A, H> {
    /// Takes the cell out of the map. It is in there: only the flight that it belongs to, and the last
    /// one who waits for it, take it out.
    fn leave_map(&self) {
        self.shard.lock().remove(&self.key);
    }

    /// Gives up the place, and the cell with it if nobody else has one.
    fn leave(&mut self) {
        // With an answer in it, it is out of the map already, and another one may have its place.
        if self.cell.initialized() {
            return;
        }
        let mut cells = self.shard.lock();
        let is_there = (cells.get(&self.key)).is_some_and(|cell| Arc::ptr_eq(cell, &self.cell));
        // The map has one, this has one. Nobody gets another one meanwhile: that takes the lock.
        if is_there && Arc::strong_count(&self.cell) == 2 {
            cells.remove(&self.key);
        }
        // Under the lock: of two who leave at the same time the second has to see that it is the last.
        self.cell = Arc::default();
    }
}

impl<K: Copy + Eq + Hash, A, H: BuildHasher> Drop for Seat<'_, K, A, H> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::panic::AssertUnwindSafe;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use tokio::task::{JoinSet, yield_now};

    use super::*;

    type Numbers = Flights<u32, usize>;

    fn is_empty(flights: &Numbers) -> bool {
        flights.shards.iter().all(|shard| shard.lock().is_empty())
    }

    async fn settle() {
        for _ in 0..100 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn all_who_want_to_know_the_same_share_one_flight() {
        let (flights, flown) = (Numbers::default(), AtomicUsize::new(0));
        let flight = || async {
            yield_now().await;
            flown.fetch_add(1, Ordering::Relaxed)
        };
        let answers = join_all((0..1000).map(|_| flights.join(7, flight()))).await;
        assert!(answers.iter().all(|answer| *answer == 0));
        assert_eq!(flown.load(Ordering::Relaxed), 1);
        assert_eq!(flights.join(7, flight()).await, 1, "nothing is cached");
        assert!(is_empty(&flights));
    }

    #[tokio::test]
    async fn each_key_has_a_flight_of_its_own() {
        let flights = Numbers::default();
        let flight = |key| async move {
            yield_now().await;
            key as usize
        };
        let answers = join_all((0..1000).map(|key| flights.join(key, flight(key)))).await;
        assert_eq!(answers, (0..1000).collect::<Vec<_>>());
        assert!(is_empty(&flights));
    }

    #[tokio::test]
    async fn if_one_is_dropped_another_takes_over() {
        let flights = Arc::new(Numbers::default());
        let mut first = Box::pin(flights.join(7, pending()));
        assert!((&mut first).now_or_never().is_none());
        let mut waiting = JoinSet::new();
        for number in 1..10 {
            let flights = Arc::clone(&flights);
            waiting.spawn(async move { flights.join(7, ready(number)).await });
        }
        settle().await;
        assert!(waiting.try_join_next().is_none());
        drop(first);
        let answers = waiting.join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "one");
        assert!(is_empty(&flights));
    }

    #[tokio::test]
    async fn if_one_panics_another_takes_over() {
        let flights = Numbers::default();
        let breaking = async {
            yield_now().await;
            std::panic::resume_unwind(Box::new("broken"))
        };
        let breaking = AssertUnwindSafe(flights.join(7, breaking)).catch_unwind();
        let (broken, answer) = tokio::join!(breaking, flights.join(7, ready(1)));
        assert!(broken.is_err());
        assert_eq!(answer, 1);
        assert!(is_empty(&flights));
    }

    #[tokio::test]
    async fn whoever_leaves_takes_nothing_from_the_others_and_leaves_nothing_behind() {
        let flights = Numbers::default();
        let mut first = Box::pin(flights.join(7, pending()));
        let mut second = Box::pin(flights.join(7, pending()));
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        drop(second);
        assert!(!is_empty(&flights), "the first one is under way");
        let mut third = Box::pin(flights.join(7, ready(3)));
        assert!((&mut third).now_or_never().is_none(), "it joins");
        drop(first);
        assert_eq!(third.await, 3);
        let mut last = Box::pin(flights.join(7, pending()));
        assert!((&mut last).now_or_never().is_none());
        drop(last);
        assert!(is_empty(&flights));
    }

    #[test]
    fn whoever_leaves_at_the_same_time_leaves_nothing_behind_either() {
        let flights = Numbers::default();
        let mut seats = [7; 2].map(|key| flights.board(key));
        // Both have left before either is gone.
        seats.iter_mut().for_each(Seat::leave);
        assert!(is_empty(&flights));
    }

    #[tokio::test]
    async fn an_answer_is_of_those_who_came_before_it() {
        let flights = Numbers::default();
        let (wake, woken) = tokio::sync::oneshot::channel();
        let mut first = Box::pin(flights.join(7, async { woken.await.unwrap_or(0) }));
        let mut second = Box::pin(flights.join(7, pending()));
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        wake.send(1).unwrap();
        assert_eq!(first.await, 1);
        // The second one has its answer, and has not fetched it.
        assert_eq!(flights.join(7, ready(2)).await, 2);
        assert_eq!(second.await, 1);
        assert!(is_empty(&flights));
    }
}
