//! How a file is opened: checked as a whole, and made where there is none.

use std::any::Any;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use redb::{Builder, Database, DatabaseError, StorageBackend, TableHandle, WriteTransaction};

use super::bounded::Bounded;
use super::checked;
use super::fault::Fault;
use super::file_error::{FileError, FileErrorKind};
use super::tables::{self, Tables};
use super::transaction::{FORMAT, TIME};
use crate::observe::trace;
use crate::time::Timestamp;

/// The version of what is in the tables.
const VERSION: u8 = 2;
/// Memory for pages of the file. Those that are not in it are mostly in the system's.
const CACHE: usize = 64 << 20;
/// For how long a file may be in use before it is an error: the last handle of before may be closing it.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);
/// Links that are followed to a file: as many as Linux follows.
const LINKS: usize = 40;

/// A file of redb begins so,
const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";
/// and says here what its pages are like: 4096 bytes, and 130 pages in front of each 2^20 of them.
const PAGES: (usize, u64) = (12, 24);
const PAGES_OF_OURS: [u8; 12] = [0, 0x10, 0, 0, 0x82, 0, 0, 0, 0, 0, 0x10, 0];
/// What the names of other files beside it end with: one that is being made,
const NEW: &str = ".new";
/// a copy that is being made,
pub(super) const COPY: &str = ".copy";
/// a file that shows that there is room.
pub(super) const ROOM: &str = ".room";

type Opened = Result<Database, FileError>;

/// Where a file is, whatever leads there: what takes its place goes there, too, and the working directory of
/// a process may change.
pub(super) fn place_of(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // What a link names may not be there yet.
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => break,
        }
    }
    match (fs::canonicalize(folder_of(&path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// Opens the file, or makes it. Waits a little where another handle is closing it.
pub(super) fn open_or_make(path: &Path) -> Opened {
    let is_in_use = |opened: &Opened| {
        let refused = opened.as_ref().err();
        refused.is_some_and(|error| error.kind() == FileErrorKind::InUse)
    };
    let mut opened = once(path);
    if is_in_use(&opened) {
        trace::file_in_use(path);
    }
    let started = Instant::now();
    while is_in_use(&opened) && started.elapsed() < PATIENCE {
        sleep(PAUSE);
        opened = once(path);
    }
    opened
}

fn once(path: &Path) -> Opened {
    match open(path) {
        Err(error) if error.kind() == FileErrorKind::Removed => {
            make(path).map_err(|error| error.of(path))?;
            open(path)
        }
        opened => opened,
    }
}

/// Opens the file that is there.
pub(super) fn open(path: &Path) -> Opened {
    // An empty path, for one: what is made beside that has a name, and stays.
    if path.file_name().is_none() {
        return Err(FileError::new(path, FileErrorKind::NotAFile));
    }
    match fs::metadata(path) {
        Ok(found) if found.is_file() => check(path, options().open(path)),
        Ok(_) => Err(FileError::new(path, FileErrorKind::NotAFile)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(FileError::new(path, FileErrorKind::Removed))
        }
        Err(error) => Err(FileError::io(path, error)),
    }
}

/// Makes the file under another name first, so that none is left half made.
fn make(path: &Path) -> Result<(), FileError> {
    if path.file_name().is_none() {
        return Err(FileError::new(path, FileErrorKind::NotAFile));
    }
    if !folder_of(path).is_dir() {
        return Err(FileError::new(path, FileErrorKind::FolderMissing));
    }
    let unfinished = beside(path, NEW);
    let made = make_unfinished(&unfinished).or_else(|error| match error.kind() {
        FileErrorKind::InUse => Err(error),
        // A process died as it made it, and this one has had its lock.
        _ => fs::remove_file(&unfinished)
            .map_err(|_| error)
            .and_then(|()| make_unfinished(&unfinished)),
    });
    // Locked until it has its name.
    let _locked = made?;
    // Whoever made it meanwhile has had this lock.
    if path.exists() {
        return fs::remove_file(&unfinished).map_err(|error| FileError::io(path, error));
    }
    fs::rename(&unfinished, path).map_err(|error| FileError::io(path, error))?;
    sync_folder_of(path);
    Ok(())
}

fn make_unfinished(path: &Path) -> Opened {
    check(path, options().create(true).open(path))
}

fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// What a file takes on the disk: a part of it that was never written takes nothing.
pub(super) fn room(path: &Path) -> io::Result<u64> {
    let found = fs::metadata(path)?;
    #[cfg(unix)]
    return Ok(512 * std::os::unix::fs::MetadataExt::blocks(&found));
    #[cfg(not(unix))]
    Ok(found.len())
}

/// Another name in the same folder.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A power failure must not take the name of the file away. Not every system lets a folder be opened.
pub(super) fn sync_folder_of(path: &Path) {
    let _ = File::open(folder_of(path)).and_then(|folder| folder.sync_all());
}

/// Nobody but the owner may read who is logged in.
pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A new file in the place of whatever has this name, which may be a link to a file of somebody else.
pub(super) fn anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => options().create_new(true).open(path),
    }
}

/// Locks the file, and makes sure that it is still the one with this name: whoever had the lock before may
/// have put a copy in its place.
fn lock(path: &Path, file: io::Result<File>) -> Result<Bounded, Fault> {
    let file = file?;
    let opened = file.metadata()?;
    let locked = Bounded::new(file)?;
    match fs::metadata(path) {
        Ok(named) if is_same(&opened, &named) => Ok(locked),
        _ => Err(DatabaseError::DatabaseAlreadyOpen.into()),
    }
}

#[cfg(unix)]
pub(super) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
pub(super) const fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

/// Whether the file is empty yet. redb believes the header what its pages are like, and takes gigabytes of
/// memory for some that cannot be.
fn look_at_header(file: &impl StorageBackend) -> Result<Result<bool, FileErrorKind>, Fault> {
    let length = file.len()?.min(PAGES.1);
    let header = file.read(0, length as usize)?;
    Ok(match header.get(PAGES.0..) {
        _ if header.is_empty() => Ok(true),
        _ if !header.starts_with(MAGIC) => Err(FileErrorKind::Foreign),
        Some(pages) if pages == PAGES_OF_OURS => Ok(false),
        _ => Err(FileErrorKind::Damaged),
    })
}

/// Opens a database, reads all of it, and compares each page with its checksum.
fn check(path: &Path, file: io::Result<File>) -> Opened {
    // What is damaged may have redb panic. Nothing of it is kept then.
    let checked = catch_unwind(AssertUnwindSafe(|| check_all(lock(path, file)?)));
    let checked = checked.map_err(|panic| damaged(path, &*panic))?;
    let checked = checked.map_err(|fault| refused(path, fault))?;
    checked.map_err(|kind| FileError::new(path, kind))
}

/// A fault is one of reading it; a kind is what is wrong with what was read.
pub(super) fn check_all(
    file: impl StorageBackend,
) -> Result<Result<Database, FileErrorKind>, Fault> {
    let is_new = match look_at_header(&file)? {
        Ok(is_new) => is_new,
        Err(kind) => return Ok(Err(kind)),
    };
    let (mut database, is_checked) = unchecked(file)?;
    if !is_checked {
        database.check_integrity()?;
    }
    Ok(prepare(&database, is_new)?.map(|()| database))
}

/// A database, and whether redb has checked all of its pages: it does so after a crash.
pub(super) fn unchecked(file: impl StorageBackend) -> Result<(Database, bool), DatabaseError> {
    let is_repaired = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&is_repaired);
    let mut builder = Builder::new();
    builder
        // Later releases read no other format.
        .create_with_file_format_v3(true)
        .set_cache_size(CACHE)
        .set_repair_callback(move |_| noted.store(true, Ordering::Relaxed));
    let database = builder.create_with_backend(file)?;
    Ok((database, is_repaired.load(Ordering::Relaxed)))
}

/// Makes the tables in a new file, and looks at the version of an old one. One damaged byte of the header
/// has redb find no tables at all.
fn prepare(database: &Database, is_new: bool) -> Result<Result<(), FileErrorKind>, Fault> {
    let reading = database.begin_read()?;
    let names = reading.list_tables()?.map(|table| table.name().to_owned());
    let names: Vec<_> = names.collect();
    if is_new {
        return make_tables(database.begin_write()?).map(Ok);
    }
    if names.is_empty() {
        return Ok(Err(FileErrorKind::Damaged));
    }
    if !names.iter().any(|name| name == tables::META.name()) {
        return Ok(Err(FileErrorKind::Foreign));
    }
    let meta = reading.open_table(tables::META)?;
    Ok(match tables::meta(&meta, FORMAT)?.as_deref() {
        Some([VERSION]) => Ok(()),
        Some([version]) if *version > VERSION => Err(FileErrorKind::NewerVersion),
        _ => Err(FileErrorKind::Foreign),
    })
}

fn make_tables(writing: WriteTransaction) -> Result<(), Fault> {
    let mut made = Tables::open(&writing)?;
    let version = checked::seal(FORMAT.as_bytes(), &[VERSION]);
    made.meta.insert(FORMAT, version.as_slice())?;
    drop(made);
    Ok(writing.commit()?)
}

/// The latest time that is told in a file.
pub(super) fn latest_time(database: &Database) -> Result<Timestamp, Fault> {
    let reading = database.begin_read()?;
    let noted = tables::meta(&reading.open_table(tables::META)?, TIME)?;
    let noted = noted.and_then(|bytes| bytes.try_into().ok());
    let noted = noted.map(u64::from_be_bytes).map(Timestamp::from_millis);
    let written = tables::latest_write(&reading.open_table(tables::SESSIONS)?)?;
    Ok(noted.unwrap_or_default().max(written))
}

pub(super) fn refused(path: &Path, fault: Fault) -> FileError {
    match fault {
        Fault::Record(error) => FileError::new(path, FileErrorKind::Damaged).caused_by(error),
        Fault::File(error) => match *error {
            redb::Error::Io(error) => FileError::io(path, error),
            other => FileError::new(path, kind_of(&other)).caused_by(other),
        },
    }
}

fn kind_of(error: &redb::Error) -> FileErrorKind {
    match error {
        redb::Error::DatabaseAlreadyOpen => FileErrorKind::InUse,
        redb::Error::Corrupted(_) => FileErrorKind::Damaged,
        redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::UpgradeRequired(_) => FileErrorKind::Foreign,
        // What comes after another fault, for one.
        _ => FileErrorKind::Io,
    }
}

pub(super) fn damaged(path: &Path, panic: &(dyn Any + Send)) -> FileError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    FileError::new(path, FileErrorKind::Damaged).caused_by(text.unwrap_or("redb panicked"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_whose_name_another_one_has_by_now_is_not_opened() {
        let name = format!("opening-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let new = beside(&path, COPY);
        let before = anew(&path);
        anew(&new).unwrap();
        fs::rename(new, &path).unwrap();
        let fault = lock(&path, before).unwrap_err();
        assert_eq!(refused(&path, fault).kind(), FileErrorKind::InUse);
        lock(&path, options().open(&path)).unwrap();
        fs::remove_file(path).unwrap();
    }
}
