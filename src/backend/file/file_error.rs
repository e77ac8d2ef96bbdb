use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::cause::Cause;

/// Why the file of a [`FileStore`](crate::store::FileStore) cannot be opened: which file, what is wrong
/// with it, and what to do.
///
/// ```
/// use tower_wx_session::store::{FileErrorKind, FileStore};
///
/// let error = FileStore::open("no/such/folder/sessions.redb").unwrap_err();
/// assert_eq!(error.kind(), FileErrorKind::FolderMissing);
/// assert_eq!(
///     error.to_string(),
///     "session file no/such/folder/sessions.redb: its folder is missing: make it first",
/// );
/// ```
#[derive(Clone)]
pub struct FileError {
    path: PathBuf,
    kind: FileErrorKind,
    cause: Cause,
}

/// The kinds of [`FileError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// The folder that the file should be in is not there.
    FolderMissing,
    /// The path is that of a folder, a device or the like.
    NotAFile,
    /// This process may not read or write the file, or make it.
    NotPermitted,
    /// Another process has the file open, or this one has it twice.
    InUse,
    /// The file is not one of this store. It was left as it is.
    Foreign,
    /// Some of its bytes have changed, or it was cut off.
    Damaged,
    /// A newer release of this crate has written it.
    NewerVersion,
    /// It was moved, removed or replaced while it was in use.
    Removed,
    /// The system could not read or write it: a full disk, for one. The
    /// [source](std::error::Error::source) says more.
    Io,
}

impl FileError {
    pub(super) fn new(path: &Path, kind: FileErrorKind) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            cause: Cause::UNKNOWN,
        }
    }

    pub(super) fn caused_by(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: Cause::new(cause),
            ..self
        }
    }

    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                FileErrorKind::NotPermitted
            }
            io::ErrorKind::NotADirectory => FileErrorKind::FolderMissing,
            io::ErrorKind::InvalidData => FileErrorKind::Foreign,
            io::ErrorKind::UnexpectedEof => FileErrorKind::Damaged,
            _ => FileErrorKind::Io,
        };
        Self::new(path, kind).caused_by(error)
    }

    /// The same of a file with another name.
    pub(super) fn of(self, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            ..self
        }
    }

    /// The kind, to match on.
    #[must_use]
    pub const fn kind(&self) -> FileErrorKind {
        self.kind
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    const fn advice(&self) -> &'static str {
        match self.kind {
            FileErrorKind::FolderMissing => "its folder is missing: make it first",
            FileErrorKind::NotAFile => "this is no file: give the path of one, or one that is free",
            FileErrorKind::NotPermitted => {
                "this process may not read and write it: look at the owner and the mode of the file and of its folder"
            }
            FileErrorKind::InUse => {
                "it is open already: one process has a file for itself, and clones one `FileStore` instead of opening it twice"
            }
            FileErrorKind::Foreign => "it holds something else: give the path of a file of its own",
            FileErrorKind::Damaged => {
                "it is damaged: take a copy from before, or remove it, and everybody logs in again"
            }
            FileErrorKind::NewerVersion => {
                "a newer release of tower-wx-session has written it: run that one, or give it a file of its own"
            }
            FileErrorKind::Removed => {
                "it was moved, removed or replaced while it was in use: put it back, or start this process again, with an empty file if there is none"
            }
            FileErrorKind::Io => "the system cannot read or write it",
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session file {}: {}", self.path.display(), self.advice())
    }
}

/// With what it says: a `main` that returns it prints this.
impl fmt::Debug for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileError")
            .field("says", &format_args!("{self}"))
            .field("kind", &self.kind)
            .field("cause", &self.cause)
            .finish()
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}
