use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::store::StoreError;

/// When what is waited for has failed, however many steps it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    span: Duration,
    /// Never, if that is more than a clock can show.
    end: Option<Instant>,
}

impl Deadline {
    pub(crate) fn after(span: Duration) -> Self {
        Self {
            span,
            end: Instant::now().checked_add(span),
        }
    }

    /// What is not there by then has failed.
    pub(super) async fn of<T>(
        self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.end {
            Some(end) => unless_late(work, self.span, || sleep_until(end)).await,
            None => work.await,
        }
    }
}

/// What takes longer than `span` has failed.
pub(crate) async fn within<T>(
    span: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    unless_late(work, span, || sleep(span)).await
}

/// What is there at once takes no timer, and does not ask for the time.
async fn unless_late<T>(
    work: impl Future<Output = Result<T, StoreError>>,
    span: Duration,
    timer: impl Fn() -> Sleep,
) -> Result<T, StoreError> {
    let (mut work, mut end) = (pin!(work), pin!(None));
    poll_fn(|cx| {
        let answer = work.as_mut().poll(cx);
        if answer.is_ready() {
            return answer;
        }
        if end.is_none() {
            end.set(Some(timer()));
        }
        let end = end.as_mut().as_pin_mut();
        match end.is_some_and(|end| end.poll(cx).is_ready()) {
            true => Poll::Ready(Err(StoreError::late(span))),
            false => Poll::Pending,
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
