//! A file whose end redb does not take on trust.
//!
//! It is not read beyond its end: redb takes memory for what it is about to read, and a damaged page may lead it
//! to terabytes. And where it grows, that is on the disk before anything else is: redb 2.6 panics when it opens a file
//! that is shorter than its header says, which a loss of power in the middle of a commit would leave.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{DatabaseError, StorageBackend};

use super::not_synced::NotSynced;

#[derive(Debug)]
pub(super) struct Bounded<B = FileBackend> {
    file: B,
    /// Relaxed: whoever reads a page has found it by a commit, which comes after the growth that made room
    /// for it.
    length: AtomicU64,
}

impl Bounded {
    /// Locks the file.
    pub(super) fn new(file: File) -> Result<Self, DatabaseError> {
        Ok(Self::over(FileBackend::new(file)?)?)
    }
}

impl<B: StorageBackend> Bounded<B> {
    pub(super) fn over(file: B) -> Result<Self, Error> {
        let length = AtomicU64::new(file.len()?);
        Ok(Self { file, length })
    }
}

impl<B: StorageBackend> StorageBackend for Bounded<B> {
    fn len(&self) -> Result<u64, Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, Error> {
        let end = u64::try_from(len)
            .ok()
            .and_then(|len| offset.checked_add(len));
        match end {
            Some(end) if end <= self.length.load(Ordering::Relaxed) => self.file.read(offset, len),
            _ => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.file.set_len(len)?;
        let before = self.length.swap(len, Ordering::Relaxed);
        match before < len {
            true => self.sync_data(false),
            false => Ok(()),
        }
    }

    fn sync_data(&self, eventual: bool) -> Result<(), Error> {
        let synced = self.file.sync_data(eventual);
        synced.map_err(|error| Error::new(error.kind(), NotSynced(error)))
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.file.write(offset, data)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::sync::Lock;

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let name = format!("bounded-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, [7; 100]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let bounded = Bounded::new(file).unwrap();
        assert_eq!(bounded.read(90, 10).unwrap(), [7; 10]);
        for (offset, length) in [(91, 10), (101, 0), (u64::MAX, 10), (0, 1 << 43)] {
            let error = bounded.read(offset, length).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
        bounded.set_len(200).unwrap();
        assert_eq!(bounded.read(100, 100).unwrap(), [0; 100]);
        fs::remove_file(path).unwrap();
    }

    /// Notes what it is asked for.
    #[derive(Debug, Default)]
    struct Noted(Arc<Lock<Vec<&'static str>>>);

    impl StorageBackend for Noted {
        fn len(&self) -> Result<u64, Error> {
            Ok(100)
        }

        fn read(&self, _: u64, len: usize) -> Result<Vec<u8>, Error> {
            Ok(vec![0; len])
        }

        fn set_len(&self, _: u64) -> Result<(), Error> {
            self.0.lock().push("length");
            Ok(())
        }

        fn sync_data(&self, _: bool) -> Result<(), Error> {
            self.0.lock().push("sync");
            Ok(())
        }

        fn write(&self, _: u64, _: &[u8]) -> Result<(), Error> {
            Ok(())
        }
    }

    #[test]
    fn what_it_grows_by_is_on_the_disk_first() {
        let noted = Arc::new(Lock::default());
        let bounded = Bounded::over(Noted(Arc::clone(&noted))).unwrap();
        bounded.set_len(200).unwrap();
        assert_eq!(*noted.lock(), ["length", "sync"]);
        bounded.set_len(50).unwrap();
        assert_eq!(*noted.lock(), ["length", "sync", "length"]);
    }
}
