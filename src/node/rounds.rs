use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::sync::Lock;

/// How soon something is tried again that a flush waits for: well within a flush.
const SOONEST: Duration = Duration::from_millis(100);

/// What is under way, by the round in which it began: a flush ends a round, and waits for all that
/// is under way by then and for nothing later.
///
/// Several flushes wait for the same things, and one that is dropped leaves nothing behind.
#[derive(Default)]
pub(super) struct Rounds {
    counts: Lock<Counts>,
    /// The oldest round with something under way; if there is none, the current one. Sent with the
    /// counts locked, so that it never goes back.
    first: watch::Sender<u64>,
    /// Flushes begun while something was under way.
    flushes: watch::Sender<u64>,
}

#[derive(Default)]
struct Counts {
    last: u64,
    /// No count is 0.
    under_way: BTreeMap<u64, usize>,
}

impl Rounds {
    /// Something begins, and is under way until the answer is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> UnderWay {
        let mut counts = self.counts.lock();
        let round = counts.last;
        *counts.under_way.entry(round).or_default() += 1;
        UnderWay {
            rounds: Arc::clone(self),
            round,
        }
    }

    /// Whether nothing is under way.
    pub(super) fn are_over(&self) -> bool {
        self.counts.lock().under_way.is_empty()
    }

    /// Waits for what is under way when this is called.
    pub(super) fn flush(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut first = self.first.subscribe();
        let round = {
            let mut counts = self.counts.lock();
            if !counts.under_way.is_empty() {
                counts.last += 1;
                self.flushes.send_replace(counts.last);
            }
            counts.last
        };
        async move {
            // An error would mean that the rounds are gone.
            let _ = first.wait_for(|first| *first >= round).await;
        }
    }

    /// The flushes that begin from now on.
    pub(super) fn flushes(&self) -> Flushes {
        Flushes(self.flushes.subscribe())
    }

    fn leave(&self, round: u64) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.under_way.get_mut(&round) {
            *count -= 1;
            if *count == 0 {
                counts.under_way.remove(&round);
            }
        }
        let first = counts.under_way.keys().next().copied();
        let first = first.unwrap_or(counts.last);
        (self.first).send_if_modified(|known| std::mem::replace(known, first) != first);
    }
}

/// The flushes that begin while something is tried.
pub(super) struct Flushes(watch::Receiver<u64>);

impl Flushes {
    /// Waits until it is tried again: as long as that, or until a flush waits for it.
    pub(super) async fn pause(mut self, span: Duration) {
        // However many flushes there are, the store is not tried more often than this.
        sleep(SOONEST).await;
        let _ = timeout(span.saturating_sub(SOONEST), self.0.changed()).await;
    }
}

/// Dropped when what is under way has ended.
pub(super) struct UnderWay {
    rounds: Arc<Rounds>,
    round: u64,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.rounds.leave(self.round);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn is_over(flush: impl Future<Output = ()>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(flush).poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn a_flush_waits_for_what_began_before_it_only() {
        let rounds = Arc::new(Rounds::default());
        assert!(is_over(rounds.flush()));
        let first = rounds.enter();
        let mut flush = pin!(rounds.flush());
        let later = rounds.enter();
        assert!(!is_over(flush.as_mut()));
        drop(first);
        assert!(is_over(flush));
        assert!(!is_over(rounds.flush()) && !rounds.are_over());
        drop(later);
        assert!(is_over(rounds.flush()) && rounds.are_over());
    }

    #[test]
    fn a_later_flush_waits_for_what_an_earlier_one_waits_for() {
        let rounds = Arc::new(Rounds::default());
        let first = rounds.enter();
        drop(rounds.flush());
        let second = rounds.enter();
        let mut flush = pin!(rounds.flush());
        drop(second);
        assert!(!is_over(flush.as_mut()));
        drop(first);
        assert!(is_over(flush));
    }
}
