//! The open file. After a fault it is opened anew.

use std::fs;
use std::io::{self, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use redb::Database;

use super::compaction;
use super::fault::Fault;
use super::file_error::{FileError, FileErrorKind};
use super::opening;
use crate::store::StoreError;
use crate::sync::Lock;
use crate::time::Timestamp;

/// More than any transaction needs.
const ROOM: usize = 4 << 20;

/// The file, or why it is not open at the moment.
pub(super) struct Disk {
    path: PathBuf,
    open: RwLock<Result<Database, FileError>>,
    /// Set by whoever met a fault of the file, until it is opened anew.
    is_faulty: Lock<bool>,
    reopened: Condvar,
}

impl Disk {
    /// Also gives the latest time that was noted in the file.
    pub(super) fn open(path: &Path) -> Result<(Self, Timestamp), FileError> {
        let opened = Self::open_at(opening::place_of(path));
        opened.map_err(|error| error.of(path))
    }

    fn open_at(path: PathBuf) -> Result<(Self, Timestamp), FileError> {
        let database = opening::open_or_make(&path)?;
        let database = compaction::at_start(&path, database);
        let time = opening::latest_time(&database);
        let time = time.map_err(|fault| opening::refused(&path, fault))?;
        let disk = Self {
            path,
            open: RwLock::new(Ok(database)),
            is_faulty: Lock::from(false),
            reopened: Condvar::new(),
        };
        Ok((disk, time))
    }

    /// Runs on the open file. A panic of redb is a fault of the file like any other.
    pub(super) fn with<T>(
        &self,
        operate: impl FnOnce(&Database) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let database = open.as_ref().map_err(|error| unavailable(error.clone()))?;
        let error = match catch_unwind(AssertUnwindSafe(|| operate(database))) {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(Fault::Record(error))) => return Err(error),
            Ok(Err(Fault::File(error))) => {
                unavailable(opening::refused(&self.path, Fault::File(error)))
            }
            Err(panic) => unavailable(opening::damaged(&self.path, &*panic)),
        };
        *self.is_faulty.lock() = true;
        Err(error)
    }

    pub(super) fn is_faulty(&self) -> bool {
        *self.is_faulty.lock()
    }

    /// Waits until the file was opened anew.
    pub(super) fn wait_while_faulty(&self, patience: Duration) {
        let is_faulty = self.is_faulty.lock();
        let waited = self
            .reopened
            .wait_timeout_while(is_faulty, patience, |is_faulty| *is_faulty);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Opens the file anew: redb does nothing more with one that it has met a fault in.
    pub(super) fn reopen(&self) -> Result<(), FileError> {
        let mut open = self.lock();
        let closed = Err(FileError::new(&self.path, FileErrorKind::Io));
        close(mem::replace(&mut *open, closed));
        *open = opening::open(&self.path);
        let outcome = open.as_ref().map(drop).map_err(Clone::clone);
        *self.is_faulty.lock() = outcome.is_err();
        self.reopened.notify_all();
        outcome
    }

    /// Fails unless the disk has room for a transaction of any size, without a write to the file itself.
    pub(super) fn try_room(&self) -> Result<(), StoreError> {
        let path = opening::beside(&self.path, opening::ROOM);
        let tried = opening::anew(&path).and_then(|mut file| {
            file.write_all(&vec![1; ROOM])?;
            file.sync_all()
        });
        let _ = fs::remove_file(&path);
        tried.map_err(|error| StoreError::unavailable(FileError::io(&self.path, error)))
    }

    /// Puts a copy without free pages in the place of the file; how many bytes that gives back. Reads go on
    /// meanwhile, and nobody may write.
    pub(super) fn compact(&self) -> Result<u64, StoreError> {
        let failed = |error: io::Error| StoreError::unavailable(FileError::io(&self.path, error));
        let before = opening::room(&self.path).map_err(failed)?;
        let copy = self.with(|database| {
            // That a copy could not be made is no fault of the file.
            let copy = compaction::copy(&self.path, database, None);
            copy.map_err(|fault| Fault::Record(unavailable(opening::refused(&self.path, fault))))
        })?;
        let Some(copy) = copy else { return Ok(0) };
        let after = copy.room().map_err(failed)?;
        if after < before {
            let mut open = self.lock();
            let copy = copy.take_over(&self.path).map_err(failed)?;
            close(mem::replace(&mut *open, Ok(copy)));
        } else {
            copy.remove();
        }
        Ok(before.saturating_sub(after))
    }

    /// Waits for whoever reads, and keeps the others off.
    fn lock(&self) -> RwLockWriteGuard<'_, Result<Database, FileError>> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It may panic as it closes, where it has met a fault.
fn close(before: Result<Database, FileError>) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(before)));
}

fn unavailable(error: FileError) -> StoreError {
    StoreError::unavailable(error)
}
