use std::future::Future;
use std::time::Duration;

use crate::store::SessionStore;

/// A store to check, and a hold on its time.
pub trait Fixture: Sync {
    /// The store.
    type Store: SessionStore;

    /// A handle to the store, as one node of a fleet would have.
    ///
    /// The suite takes many and uses them in parallel; all see the same sessions.
    fn store(&self) -> Self::Store;

    /// The smallest span that can be told apart safely: at least one millisecond, and longer than
    /// the store takes to answer unless its time stands still meanwhile.
    fn tick(&self) -> Duration;

    /// Lets at least `span` of the store's time pass.
    fn advance(&self, span: Duration) -> impl Future<Output = ()> + Send;

    /// Whether the store's time passes by itself, so that checks may wait side by side.
    fn time_flies(&self) -> bool {
        false
    }

    /// How often each race is run.
    fn rounds(&self) -> usize {
        200
    }
}
