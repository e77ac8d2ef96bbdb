use std::convert::Infallible;
use std::future::{Future, Pending, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Timeout, timeout, timeout_at};

use crate::store::StoreError;

/// When what is waited for has failed, however many steps it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// Never, if that is more than a clock can show.
    pub(crate) fn after(span: Duration) -> Self {
        Self(Instant::now().checked_add(span))
    }

    /// What is not there by then has failed.
    pub(super) async fn of<T>(
        self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.0 {
            Some(end) => unless_late(work, || timeout_at(end, pending())).await,
            None => work.await,
        }
    }
}

/// What takes longer than `span` has failed.
pub(crate) async fn within<T>(
    span: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    unless_late(work, || timeout(span, pending())).await
}

type Timer = Timeout<Pending<Infallible>>;

/// What is there at once takes no timer, and does not ask for the time.
async fn unless_late<T>(
    work: impl Future<Output = Result<T, StoreError>>,
    timer: impl Fn() -> Timer,
) -> Result<T, StoreError> {
    let (mut work, mut late) = (pin!(work), pin!(None));
    poll_fn(|cx| {
        let answer = work.as_mut().poll(cx);
        if answer.is_ready() {
            return answer;
        }
        if late.is_none() {
            late.set(Some(timer()));
        }
        match late.as_mut().as_pin_mut().map(|late| late.poll(cx)) {
            Some(Poll::Ready(Err(late))) => Poll::Ready(Err(StoreError::unavailable(late))),
            _ => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::time::sleep;

    use super::*;

    const SPAN: Duration = Duration::from_millis(250);

    async fn after(span: Duration) -> Result<u8, StoreError> {
        sleep(span).await;
        Ok(7)
    }

    fn is_late(answer: &Result<u8, StoreError>) -> bool {
        answer.as_ref().is_err_and(StoreError::is_late)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_late_has_failed_and_nothing_else() {
        let began = Instant::now();
        assert_eq!(within(SPAN, after(SPAN / 2)).await.unwrap(), 7);
        assert!(is_late(&within(SPAN, after(2 * SPAN)).await));
        assert_eq!(began.elapsed().as_millis(), (SPAN + SPAN / 2).as_millis());
    }

    #[tokio::test(start_paused = true)]
    async fn all_steps_have_one_deadline() {
        let deadline = Deadline::after(SPAN);
        assert_eq!(deadline.of(after(SPAN / 2)).await.unwrap(), 7);
        assert!(is_late(&deadline.of(after(SPAN)).await));
        assert_eq!(deadline.of(ready(Ok(8))).await.unwrap(), 8, "it is there");
        let endless = Deadline::after(Duration::MAX);
        assert_eq!(endless.of(after(SPAN)).await.unwrap(), 7);
    }

    #[test]
    fn what_is_there_at_once_takes_no_timer() {
        // Without a runtime there is none.
        let answer = pin!(within(SPAN, ready(Ok(7))));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(matches!(answer.poll(&mut context), Poll::Ready(Ok(7))));
    }
}
