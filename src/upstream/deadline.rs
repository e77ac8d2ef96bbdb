use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::task::{Unconstrained, unconstrained};
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
    pub(super) const fn of<F>(self, work: F) -> InTime<F> {
        InTime::new(work, End::At(self))
    }
}

/// What takes longer than `span` has failed.
pub(crate) const fn within<F>(span: Duration, work: F) -> InTime<F> {
    InTime::new(work, End::After(span))
}

pin_project! {
    /// Work that fails unless it is done by its `end`. What is there at once takes no timer, and does
    /// not ask for the time.
    #[must_use]
    pub(crate) struct InTime<F> {
        #[pin]
        work: F,
        end: End,
        #[pin]
        timer: Option<Timer>,
    }
}

#[derive(Clone, Copy)]
enum End {
    After(Duration),
    At(Deadline),
}

/// It is looked at even where the work has used up what its task may do in a turn.
type Timer = Unconstrained<Sleep>;

impl End {
    fn timer(self) -> Option<Timer> {
        match self {
            Self::After(span) => Some(unconstrained(sleep(span))),
            Self::At(deadline) => deadline.end.map(sleep_until).map(unconstrained),
        }
    }

    const fn span(self) -> Duration {
        match self {
            Self::After(span) | Self::At(Deadline { span, .. }) => span,
        }
    }
}

impl<F> InTime<F> {
    const fn new(work: F, end: End) -> Self {
        let timer = None;
        Self { work, end, timer }
    }
}

impl<T, F: Future<Output = Result<T, StoreError>>> Future for InTime<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let answer = this.work.poll(cx);
        if answer.is_ready() {
            return answer;
        }
        if this.timer.is_none() {
            this.timer.set(this.end.timer());
        }
        let timer = this.timer.as_pin_mut();
        match timer.is_some_and(|timer| timer.poll(cx).is_ready()) {
            true => Poll::Ready(Err(StoreError::late(this.end.span()))),
            false => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::pin::pin;
    use std::task::Waker;

    use tokio::task::consume_budget;
    use tokio::time::timeout;

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

    #[tokio::test]
    async fn what_is_busy_all_the_time_is_late_too() {
        let busy = async {
            loop {
                consume_budget().await;
            }
        };
        let answer = timeout(20 * SPAN, within(SPAN / 20, busy)).await;
        assert!(is_late(&answer.unwrap()));
    }

    #[test]
    fn what_is_there_at_once_takes_no_timer() {
        // Without a runtime there is none.
        let answer = pin!(within(SPAN, ready(Ok(7))));
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(answer.poll(&mut context), Poll::Ready(Ok(7))));
    }
}
