use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::sync::Lock;

/// A task of which one is to run: it may end by itself, or with the runtime it was started in.
#[derive(Default)]
pub(crate) struct Task(Lock<Option<JoinHandle<()>>>);

impl Task {
    /// Starts it, unless it runs or there is no runtime.
    pub(crate) fn start<F>(&self, task: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut running = self.0.lock();
        if running.as_ref().is_none_or(JoinHandle::is_finished) {
            replace(&mut running, task);
        }
    }

    /// Starts it, in the place of the one that runs.
    pub(crate) fn restart<F>(&self, task: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut running = self.0.lock();
        replace(&mut running, task);
    }
}

fn replace<F>(running: &mut Option<JoinHandle<()>>, task: impl FnOnce() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    if let Ok(runtime) = Handle::try_current() {
        let earlier = running.replace(runtime.spawn(task()));
        earlier.inspect(JoinHandle::abort);
    }
}
