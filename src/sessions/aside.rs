use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use crate::trace;

/// Work that goes on in a task of its own when whoever waits for it is gone.
///
/// Until then it is no task: most are waited for to the end, and a task for each would cost a
/// switch there and back.
pub(super) struct Aside<T: Send + 'static>(Option<Work<T>>);

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<T: Send + 'static> Aside<T> {
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<T: Send + 'static> Future for Aside<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let work = self.0.as_mut().expect("polled after completion");
        let polled = work.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Aside<T> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(trace::inherit(work));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_any_longer_is_done_all_the_same() {
        let (begin, begun) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let mut aside = Aside::new(async move {
            begun.await.unwrap();
            done.send("done").unwrap();
        });
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut aside).poll(&mut context).is_pending());
        drop(aside);
        begin.send(()).unwrap();
        assert_eq!(is_done.await.unwrap(), "done");
    }

    #[tokio::test]
    async fn what_is_waited_for_is_done_once() {
        let (done, mut dones) = tokio::sync::mpsc::unbounded_channel();
        assert!(Aside::new(async move { done.send(1).is_ok() }).await);
        assert_eq!(dones.recv().await, Some(1));
        assert_eq!(dones.recv().await, None);
    }

    #[test]
    fn without_a_runtime_it_ends_with_whoever_waits() {
        drop(Aside::new(std::future::pending::<()>()));
    }
}
