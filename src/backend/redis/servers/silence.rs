//! Commands that nobody got an answer to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::time::millis;

/// Silence upon commands after which a connection is given up.
const SILENT_FOR: Duration = Duration::from_secs(1);

/// How long a server has not answered while callers gave up waiting for it.
///
/// A deadline is the caller's: it drops its command. That alone says little about the server, and
/// other commands on the same connection may be answered still. So it counts from the first command
/// that was dropped, and any answer ends it.
pub(super) struct Silence {
    opened: Instant,
    /// When the first of the dropped commands was sent, in milliseconds since `opened`, and one;
    /// 0 while there is none.
    ///
    /// Relaxed: it is one number, through which nothing else is published, and what is decided by an
    /// old value is decided again with the next command.
    since: AtomicU64,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            since: AtomicU64::new(0),
        }
    }

    /// Whether it has lasted for so long that the next command should not be sent here.
    pub(super) fn is_too_long(&self) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        since != 0 && self.now().saturating_sub(since) >= millis(SILENT_FOR)
    }

    /// Whether no command was dropped since the last answer.
    pub(super) fn is_over(&self) -> bool {
        self.since.load(Ordering::Relaxed) == 0
    }

    /// Notes that a command is being sent.
    pub(super) fn wait(&self) -> Waiting<'_> {
        Waiting {
            silence: self,
            since: self.now(),
            is_answered: false,
        }
    }

    fn now(&self) -> u64 {
        millis(self.opened.elapsed()).saturating_add(1)
    }
}

/// A command on its way. Dropped without an answer, it counts as silence.
pub(super) struct Waiting<'a> {
    silence: &'a Silence,
    since: u64,
    is_answered: bool,
}

impl Waiting<'_> {
    /// The server has answered, whatever it said, or the connection is gone.
    pub(super) fn answered(mut self) {
        self.is_answered = true;
        self.silence.since.store(0, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            // Only from 0: a later command must not move the beginning of the silence forward, or a
            // server that gets commands often enough would never be silent for long. If an answer comes
            // at the same time, the silence may begin although it has just ended: the next answer
            // ends it again, and without one it was true.
            let (since, relaxed) = (&self.silence.since, Ordering::Relaxed);
            let _ = since.compare_exchange(0, self.since, relaxed, relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_begins_with_the_first_command_that_is_dropped() {
        let silence = Silence::new();
        drop(silence.wait());
        let began = silence.since.load(Ordering::Relaxed);
        let mut later = silence.wait();
        later.since += 1000;
        drop(later);
        assert_eq!(silence.since.load(Ordering::Relaxed), began);
        assert!(!silence.is_over() && !silence.is_too_long());
    }

    #[test]
    fn any_answer_ends_it() {
        let silence = Silence::new();
        let answered = silence.wait();
        drop(silence.wait());
        answered.answered();
        assert!(silence.is_over());
    }
}
