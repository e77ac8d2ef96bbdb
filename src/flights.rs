use std::convert::Infallible;
use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use moka::future::Cache;

/// Single flight: one at a time finds something out, for all who want to know the same.
///
/// It caches nothing: every flight ends as an error, which moka shares with all who wait for it.
pub(crate) struct Flights<K>(Cache<K, Infallible>);

impl<K: Copy + Eq + Hash + Send + Sync + 'static> Flights<K> {
    /// Finds out by `flight`, or waits for the answer of another one.
    ///
    /// # Concurrent calls for the same key
    ///
    /// One of them runs its `flight`; the others wait for its answer. If it is dropped, another one
    /// takes over with its own.
    pub(crate) async fn join<A: Clone + Send + Sync + 'static>(
        &self,
        key: K,
        flight: impl Future<Output = A>,
    ) -> A {
        let flight = async { Err(flight.await) };
        match self.0.try_get_with(key, flight).await {
            Ok(never) => match never {},
            Err(answer) => Arc::unwrap_or_clone(answer),
        }
    }
}

impl<K: Eq + Hash + Send + Sync + 'static> Default for Flights<K> {
    fn default() -> Self {
        Self(Cache::new(0))
    }
}
