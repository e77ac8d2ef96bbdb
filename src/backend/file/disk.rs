//! The open file. After a fault it is opened anew.

use std::error::Error;
use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use redb::Database;

use super::compaction::{self, Copy};
use super::fault::Fault;
use super::file_error::{FileError, FileErrorKind};
use super::not_synced::NotSynced;
use super::opening;
use crate::store::StoreError;
use crate::sync::Lock;
use crate::time::Timestamp;

/// More than any transaction needs.
const ROOM: usize = 4 << 20;

/// The file, or why it is not open at the moment.
pub(super) struct Disk {
    path: PathBuf,
    open: RwLock<Result<Open, FileError>>,
    /// Set by whoever met a fault of the file, until it is opened anew.
    is_faulty: Lock<bool>,
    reopened: Condvar,
    /// Set by a sync that failed, until a copy has taken the place of the file. Relaxed: only the writer syncs,
    /// and asks.
    is_unsynced: AtomicBool,
}

/// A file that is open, and which one it is.
struct Open {
    database: Database,
    metadata: Metadata,
}

impl Open {
    /// Of the file that has this name: nobody else may change that while it is open.
    fn new(path: &Path, database: Database) -> Result<Self, FileError> {
        let metadata = fs::metadata(path).map_err(|error| FileError::io(path, error))?;
        Ok(Self { database, metadata })
    }
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
            open: RwLock::new(Ok(Open::new(&path, database)?)),
            path,
            is_faulty: Lock::from(false),
            reopened: Condvar::new(),
            is_unsynced: AtomicBool::new(false),
        };
        Ok((disk, time))
    }

    /// Runs on the open file. A panic of redb is a fault of the file like any other.
    pub(super) fn with<T>(
        &self,
        operate: impl FnOnce(&Database) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let open = self.read();
        let open = open.as_ref().map_err(|error| unavailable(error.clone()))?;
        let error = match catch_unwind(AssertUnwindSafe(|| operate(&open.database))) {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(Fault::Record(error))) => return Err(error),
            Ok(Err(Fault::File(error))) => opening::refused(&self.path, Fault::File(error)),
            Err(panic) => opening::damaged(&self.path, &*panic),
        };
        self.note_failed_sync(&error);
        *self.is_faulty.lock() = true;
        Err(unavailable(error))
    }

    fn note_failed_sync(&self, error: &FileError) {
        if error.source().is_some_and(NotSynced::is_behind) {
            self.is_unsynced.store(true, Ordering::Relaxed);
        }
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
        let opened = opening::open(&self.path);
        *open = opened.and_then(|database| Open::new(&self.path, database));
        let outcome = open.as_ref().map(drop).map_err(Clone::clone);
        if let Err(error) = &outcome {
            self.note_failed_sync(error);
        }
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
        tried.map_err(|error| self.failed(error))
    }

    /// Fails unless the file that is open is the one with this name: what is written to any other is not there
    /// after a restart.
    pub(super) fn look_at_name(&self) -> Result<(), StoreError> {
        let removed = || FileError::new(&self.path, FileErrorKind::Removed);
        let named = fs::metadata(&self.path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => removed(),
            _ => FileError::io(&self.path, error),
        });
        let is_named = |open: &Open, named: &Metadata| opening::is_same(&open.metadata, named);
        let named = named.map_err(unavailable)?;
        match &*self.read() {
            Ok(open) if !is_named(open, &named) => Err(unavailable(removed())),
            _ => Ok(()),
        }
    }

    /// Puts a copy without free pages in the place of the file, if that is smaller; how many bytes that gives
    /// back. Reads go on meanwhile, and nobody may write.
    pub(super) fn compact(&self) -> Result<u64, StoreError> {
        self.look_at_name()?;
        let before = opening::room(&self.path).map_err(|error| self.failed(error))?;
        let copy = self.copy()?;
        let after = copy.room().map_err(|error| self.failed(error))?;
        match after < before {
            true => self.replace_by(copy)?,
            false => copy.remove(),
        }
        Ok(before.saturating_sub(after))
    }

    /// After a sync that failed, puts a copy in the place of the file: all of it is written anew.
    pub(super) fn ensure_synced(&self) -> Result<(), StoreError> {
        match self.is_unsynced.load(Ordering::Relaxed) {
            true => self.replace_by(self.copy()?),
            false => Ok(()),
        }
    }

    fn copy(&self) -> Result<Copy, StoreError> {
        self.with(|database| {
            // That a copy could not be made is no fault of the file.
            let copy = compaction::copy(&self.path, database);
            copy.map_err(|fault| Fault::Record(unavailable(opening::refused(&self.path, fault))))
        })
    }

    fn replace_by(&self, copy: Copy) -> Result<(), StoreError> {
        let mut open = self.lock();
        let metadata = copy.metadata().map_err(|error| self.failed(error))?;
        let database = copy.take_over(&self.path);
        let database = database.map_err(|error| self.failed(error))?;
        close(mem::replace(&mut *open, Ok(Open { database, metadata })));
        self.is_unsynced.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn failed(&self, error: io::Error) -> StoreError {
        unavailable(FileError::io(&self.path, error))
    }

    fn read(&self) -> RwLockReadGuard<'_, Result<Open, FileError>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for whoever reads, and keeps the others off.
    fn lock(&self) -> RwLockWriteGuard<'_, Result<Open, FileError>> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It may panic as it closes, where it has met a fault.
fn close(before: Result<Open, FileError>) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(before)));
}

fn unavailable(error: FileError) -> StoreError {
    StoreError::unavailable(error)
}
