//! What waits for a thread.

use std::collections::VecDeque;
use std::sync::{Condvar, PoisonError};
use std::time::{Duration, Instant};

use crate::sync::Lock;

/// More than a process has under way: a disk that hangs must not make it grow.
const LONGEST: usize = 10_000;

/// Jobs for one thread or several, first in, first out.
pub(super) struct Queue<T> {
    waiting: Lock<Waiting<T>>,
    changed: Condvar,
}

struct Waiting<T> {
    jobs: VecDeque<T>,
    is_closed: bool,
}

impl<T> Queue<T> {
    /// `false` if there are too many already, or nobody takes any more.
    #[must_use]
    pub(super) fn push(&self, job: T) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed || waiting.jobs.len() >= LONGEST {
            return false;
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.changed.notify_one();
        true
    }

    /// Waits for jobs and takes as many as are there, up to `most`: none after `patience`; `None` once
    /// the queue is closed and empty.
    pub(super) fn take(&self, most: usize, patience: Duration) -> Option<Vec<T>> {
        let end = Instant::now() + patience;
        let mut waiting = self.waiting.lock();
        while waiting.jobs.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if waiting.is_closed {
                return None;
            }
            if left.is_zero() {
                break;
            }
            let woken = self.changed.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let count = waiting.jobs.len().min(most);
        Some(waiting.jobs.drain(..count).collect())
    }

    /// Lets the threads finish what waits, and end.
    pub(super) fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.changed.notify_all();
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let waiting = Waiting {
            jobs: VecDeque::new(),
            is_closed: false,
        };
        Self {
            waiting: Lock::from(waiting),
            changed: Condvar::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_taken_together_and_none_is_lost_at_the_end() {
        let queue = Queue::default();
        for job in 0..5 {
            assert!(queue.push(job));
        }
        assert_eq!(queue.take(3, Duration::ZERO), Some(vec![0, 1, 2]));
        queue.close();
        assert!(!queue.push(5));
        assert_eq!(queue.take(3, Duration::from_secs(9)), Some(vec![3, 4]));
        assert_eq!(queue.take(3, Duration::from_secs(9)), None);
    }

    #[test]
    fn whoever_waits_gives_up_in_time() {
        let queue = Queue::<u8>::default();
        assert_eq!(queue.take(1, Duration::from_millis(1)), Some(Vec::new()));
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let queue = Queue::default();
        assert!((0..LONGEST).all(|job| queue.push(job)));
        assert!(!queue.push(0));
    }
}
