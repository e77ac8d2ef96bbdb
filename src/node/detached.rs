use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::observe::trace;

/// Work that goes on in a task of its own when whoever waits for it is gone.
///
/// A request that is cancelled takes no read along for which others may wait. Until then it is no
/// task: most are waited for to the end, and a task for each would cost a switch there and back.
pub(super) struct Detached<T: Send + 'static> {
    work: Option<Work<T>>,
    /// How long it may go on.
    at_most: Duration,
}

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<T: Send + 'static> Detached<T> {
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static, at_most: Duration) -> Self {
        Self {
            work: Some(Box::pin(work)),
            at_most,
        }
    }
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Taken out, so that what has panicked does not go on.
        let mut work = self.work.take().expect("polled after completion");
        let polled = work.as_mut().poll(cx);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            let at_most = self.at_most;
            runtime.spawn(trace::inherit(
                async move { drop(timeout(at_most, work).await) },
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::sync::oneshot;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn what_nobody_waits_for_any_longer_is_done_all_the_same() {
        let (begin, begun) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let mut detached = Detached::new(
            async move {
                begun.await.unwrap();
                done.send("done").unwrap();
            },
            LONG,
        );
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut detached).poll(&mut context).is_pending());
        drop(detached);
        begin.send(()).unwrap();
        assert_eq!(is_done.await.unwrap(), "done");
    }

    #[tokio::test]
    async fn what_is_waited_for_is_done_once() {
        let (done, mut dones) = tokio::sync::mpsc::unbounded_channel();
        assert!(Detached::new(async move { done.send(1).is_ok() }, LONG).await);
        assert_eq!(dones.recv().await, Some(1));
        assert_eq!(dones.recv().await, None);
    }

    #[test]
    fn without_a_runtime_it_ends_with_whoever_waits() {
        drop(Detached::new(std::future::pending::<()>(), LONG));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_ends_some_time() {
        let (held, mut is_dropped) = oneshot::channel::<()>();
        let work = async move {
            std::future::pending::<()>().await;
            drop(held);
        };
        drop(Detached::new(work, LONG));
        tokio::time::sleep(LONG / 2).await;
        assert!(
            is_dropped
                .try_recv()
                .is_err_and(|e| e == oneshot::error::TryRecvError::Empty)
        );
        tokio::time::sleep(LONG).await;
        assert!(is_dropped.await.is_err());
    }
}
