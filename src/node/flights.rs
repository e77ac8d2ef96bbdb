use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use moka::future::Cache;

use crate::cache::Answer;
use crate::token::SessionId;

/// Single flight: one read of a session at a time, for all who want to know.
///
/// It caches nothing: every flight ends as an error, which moka shares with all who wait for it.
pub(super) struct Flights(Cache<SessionId, Infallible>);

impl Flights {
    /// Reads a session by `flight`, or waits for the answer of another one.
    ///
    /// # Concurrent calls for the same session
    ///
    /// One of them runs its `flight`; the others wait for its answer. If it is dropped, another one
    /// takes over with its own.
    pub(super) async fn join(&self, id: SessionId, flight: impl Future<Output = Answer>) -> Answer {
        let flight = async { Err(flight.await) };
        match self.0.try_get_with(id, flight).await {
            Ok(never) => match never {},
            Err(answer) => Arc::unwrap_or_clone(answer),
        }
    }
}

impl Default for Flights {
    fn default() -> Self {
        Self(Cache::new(0))
    }
}
