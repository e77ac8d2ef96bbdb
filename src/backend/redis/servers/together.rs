//! Reads and logins of one connection that wait for each other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use redis::Value;

use crate::backend::batches::Batches;
use crate::backend::redis::scripts::Call;
use crate::store::StoreError;
use crate::token::SessionId;

/// What is under a key; `None` if it has to be asked for by itself.
pub(crate) type Read = Option<Result<Value, StoreError>>;

/// Reads or logins, or batches of them, under way at the same time: as many are as quick by themselves as
/// together, since the connection writes those that come at once at once.
const AT_ONCE: usize = 8;
/// How long those that are under way hold up others: longer than a server near by takes, so that those
/// who go to one farther away do not wait for twice as long.
const MOMENT: Duration = Duration::from_millis(1);

/// So many sessions that are all found where they are looked for are on one server: of two, each would be on the
/// right one with a chance of one half.
const ENOUGH: usize = 128;

/// The reads of sessions, and the logins, that go together over one connection.
pub(crate) struct Together {
    pub(crate) reads: Batches<SessionId, Read>,
    /// Relaxed: it goes from false to true once, and nothing else is published through it. Who still
    /// reads false has one more command refused.
    refuses_mget: AtomicBool,
    /// What the script for a login answers; `None` if it has to be run by itself.
    pub(crate) logins: Batches<Call, Option<Value>>,
    /// Relaxed, as above; so is the next one.
    refuses_logins: AtomicBool,
    /// Sessions that came together and were found where each is looked for.
    found: AtomicUsize,
}

impl Together {
    pub(super) fn new() -> Self {
        Self {
            reads: Batches::beyond(AT_ONCE, MOMENT),
            refuses_mget: AtomicBool::new(false),
            logins: Batches::beyond(AT_ONCE, MOMENT),
            refuses_logins: AtomicBool::new(false),
            found: AtomicUsize::new(0),
        }
    }

    /// Whether one script may be tried for several logins.
    pub(super) fn takes_logins(&self) -> bool {
        !self.refuses_logins.load(Ordering::Relaxed)
    }

    pub(crate) fn refuse_logins(&self) {
        self.refuses_logins.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_proved_itself(&self) -> bool {
        self.found.load(Ordering::Relaxed) >= ENOUGH
    }

    pub(super) fn note_found(&self, sessions: usize) {
        self.found.fetch_add(sessions, Ordering::Relaxed);
    }

    /// Whether one command may be tried that reads all of them.
    pub(super) fn takes_mget(&self) -> bool {
        !self.refuses_mget.load(Ordering::Relaxed)
    }

    pub(super) fn refuse_mget(&self) {
        self.refuses_mget.store(true, Ordering::Relaxed);
    }
}
