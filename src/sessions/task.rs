use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// A task of which one is to run: it may end by itself, or with the runtime it was started in.
#[derive(Default)]
pub(super) struct Task(Mutex<Option<JoinHandle<()>>>);

impl Task {
    /// Starts it, unless it runs or there is no runtime.
    pub(super) fn start<F>(&self, task: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            *running = Some(runtime.spawn(task()));
        }
    }
}
