use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tower_wx_session::store::FileStore;

/// A folder of its own, which goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    /// On a disk, as far as temporary files are.
    pub fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// In memory, where there is such a place: for what needs no disk and syncs it often.
    pub fn in_memory() -> Self {
        let shared = Path::new("/dev/shm");
        match shared.is_dir() {
            true => Self::within(shared),
            false => Self::new(),
        }
    }

    fn within(parent: &Path) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("file-store-{}-{number}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// The file of a store.
    pub fn file(&self) -> PathBuf {
        self.0.join("sessions.redb")
    }

    /// What is in the file once its last handle has closed it.
    pub fn read_closed(&self, last: FileStore) -> Vec<u8> {
        drop(last);
        // Its threads hold the lock until then.
        let waited = Command::new("flock").arg(self.file()).arg("true").status();
        assert!(waited.unwrap().success());
        fs::read(self.file()).unwrap()
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
