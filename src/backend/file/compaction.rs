//! A file that has become too large is copied, without what is free in it.
//!
//! redb can also move pages within a file. With half of a million sessions gone that took twice as long, with
//! nobody reading, and gave back 1 % of the disk where a copy gives back a third; nor can it be stopped.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use redb::{
    Database, Key, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, Value,
    WriteTransaction,
};

use super::bounded::Bounded;
use super::checked;
use super::fault::Fault;
use super::opening::{self, COPY, ROOM, beside};
use super::tables;

/// A file smaller than this is never worth a copy.
const SMALL: u64 = 32 << 20;
/// What a session needs in a copy, and a bit more. A file may be three times as large.
const PER_SESSION: u64 = 512;
const LARGEST: u64 = 3;
/// For how long a start may be held up.
const AT_START: Duration = Duration::from_secs(3);
/// Sessions between two looks at the clock.
const ROUND: usize = 1000;
/// The name in the table `meta` of the size that the file had after it was copied last.
const COPIED: &str = "copied";

/// A copy that is complete, but not in the place of the file yet.
pub(super) struct Copy {
    database: Database,
    path: PathBuf,
}

impl Copy {
    /// What it takes on the disk.
    pub(super) fn room(&self) -> io::Result<u64> {
        opening::room(&self.path)
    }

    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        fs::metadata(&self.path)
    }

    /// It is of no use.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(self.path);
    }

    /// Puts it in the place of the file. Whoever opens that finds it locked from the first moment on.
    pub(super) fn take_over(self, path: &Path) -> io::Result<Database> {
        if let Err(error) = fs::rename(&self.path, path) {
            let _ = fs::remove_file(&self.path);
            return Err(error);
        }
        opening::sync_folder_of(path);
        Ok(self.database)
    }
}

/// The file again, or a copy of it in its place if that pays and can be made in no time.
pub(super) fn at_start(path: &Path, database: Database) -> Database {
    for left in [COPY, ROOM] {
        let _ = fs::remove_file(beside(path, left));
    }
    let until = Instant::now() + AT_START;
    let is_worth_it = pays(path, &database).unwrap_or(false);
    match is_worth_it.then(|| copy_until(path, &database, Some(until))) {
        Some(Ok(copy)) => copy.take_over(path).unwrap_or(database),
        _ => database,
    }
}

fn pays(path: &Path, database: &Database) -> Result<bool, Fault> {
    let size = opening::room(path)?;
    let reading = database.begin_read()?;
    let sessions = reading.open_table(tables::SESSIONS)?.len()?;
    let copied = tables::meta(&reading.open_table(tables::META)?, COPIED)?;
    let copied = copied.and_then(|bytes| bytes.try_into().ok());
    let copied = copied.map_or(0, u64::from_be_bytes);
    Ok(size >= SMALL && size >= LARGEST * PER_SESSION * sessions && size >= 2 * copied)
}

/// A copy beside the file.
pub(super) fn copy(path: &Path, database: &Database) -> Result<Copy, Fault> {
    copy_until(path, database, None)
}

/// The same, if it can be made in time.
fn copy_until(path: &Path, database: &Database, until: Option<Instant>) -> Result<Copy, Fault> {
    let path = beside(path, COPY);
    match write(&path, database, until) {
        Ok(database) => Ok(Copy { database, path }),
        Err(fault) => {
            let _ = fs::remove_file(path);
            Err(fault)
        }
    }
}

fn write(path: &Path, from: &Database, until: Option<Instant>) -> Result<Database, Fault> {
    let (copy, _) = opening::unchecked(Bounded::new(opening::anew(path)?)?)?;
    let reading = from.begin_read()?;
    let writing = copy.begin_write()?;
    Copying {
        reading,
        writing: &writing,
        until,
    }
    .all()?;
    writing.commit()?;
    note_size(path, &copy)?;
    Ok(copy)
}

/// From one file to another.
struct Copying<'c> {
    reading: ReadTransaction,
    writing: &'c WriteTransaction,
    until: Option<Instant>,
}

impl Copying<'_> {
    fn all(&self) -> Result<(), Fault> {
        self.table(tables::META)?;
        self.table(tables::SESSION_KEYS)?;
        self.table(tables::SESSIONS)?;
        self.table(tables::USERS)?;
        self.table(tables::DUE)
    }

    fn table<K: Key, V: Value>(&self, table: TableDefinition<'_, K, V>) -> Result<(), Fault> {
        self.half(table, true)?;
        self.half(table, false)
    }

    /// Three of five entries, and then the others: put in one after the other they would leave each page half
    /// full.
    fn half<K: Key, V: Value>(
        &self,
        table: TableDefinition<'_, K, V>,
        is_first: bool,
    ) -> Result<(), Fault> {
        let mut to = self.writing.open_table(table)?;
        for (number, entry) in self.reading.open_table(table)?.iter()?.enumerate() {
            if (number % 5 % 2 == 0) != is_first {
                continue;
            }
            if number % ROUND < 5 && self.until.is_some_and(|until| until < Instant::now()) {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            let (key, value) = entry?;
            to.insert(key.value(), value.value())?;
        }
        Ok(())
    }
}

fn note_size(path: &Path, copy: &Database) -> Result<(), Fault> {
    let size = opening::room(path)?.to_be_bytes();
    let writing = copy.begin_write()?;
    let noted = checked::seal(COPIED.as_bytes(), &size);
    let mut meta = writing.open_table(tables::META)?;
    meta.insert(COPIED, noted.as_slice())?;
    drop(meta);
    Ok(writing.commit()?)
}
