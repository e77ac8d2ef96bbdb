//! Reads of one connection that wait for each other.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::Value;

use crate::backend::batches::Batches;
use crate::store::StoreError;
use crate::token::SessionId;

/// What is under a key; `None` if it has to be asked for by itself.
pub(crate) type Read = Option<Result<Value, StoreError>>;

/// The reads of sessions that go together over one connection.
#[derive(Default)]
pub(crate) struct Together {
    pub(crate) batches: Batches<SessionId, Read>,
    /// Relaxed: it goes from false to true once, and nothing else is published through it. Who still
    /// reads false has one more command refused.
    refuses_mget: AtomicBool,
}

impl Together {
    /// Whether one command may be tried that reads all of them.
    pub(super) fn takes_mget(&self) -> bool {
        !self.refuses_mget.load(Ordering::Relaxed)
    }

    pub(super) fn refuse_mget(&self) {
        self.refuses_mget.store(true, Ordering::Relaxed);
    }
}
