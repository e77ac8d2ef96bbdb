//! A mutex without poison.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex whose data a panic of another thread does not take away.
///
/// Whatever is kept in one here is whole between any two statements that change it, so a thread
/// that panicked with the guard has left nothing half done.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> From<T> for Lock<T> {
    fn from(value: T) -> Self {
        Self(Mutex::new(value))
    }
}
