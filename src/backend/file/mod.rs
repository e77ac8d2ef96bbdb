use std::fmt;
use std::path::Path;
use std::sync::Arc;

use redb::ReadTransaction;

use crate::backend::ledger::Ledger;
use crate::backend::stored::Stored;
use crate::backend::wire::user::user_name_bytes;
use crate::identity::Identity;
use crate::session::{Record, Touch};
use crate::store::{
    Feed, Insert, Inserted, Loaded, PutSessionKey, Revoke, Rotate, Rotated, SessionStore,
    StoreError,
};
use crate::time::{Clock, Timestamp};
use crate::token::{SessionId, TagKey};

mod bounded;
mod checked;
mod collect;
mod compaction;
mod disk;
mod fault;
mod file_error;
mod inner;
mod job;
mod not_synced;
mod opening;
#[cfg(test)]
mod power_loss;
mod queue;
mod read;
mod readers;
mod tables;
#[cfg(test)]
mod tests;
mod transaction;
mod writer;

use self::disk::Disk;
use self::fault::Fault;
pub use self::file_error::{FileError, FileErrorKind};
use self::inner::Inner;

/// Keeps sessions in a file of this process: a restart logs nobody out, and there is nothing to install.
///
/// ```
/// use tower_wx_session::{Sessions, store::FileStore};
///
/// # let folder = std::env::temp_dir();
/// # let path = folder.join(format!("sessions-{}.redb", std::process::id()));
/// let store = FileStore::open(&path)?;
/// let sessions = Sessions::builder(store).build()?;
/// # drop(sessions);
/// # std::fs::remove_file(path)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// One thread writes: whatever waits goes into one transaction, and is answered once that is on the disk. A
/// few others read. So a disk that hangs holds up no thread of a runtime, and a hit asks none of them.
///
/// Clones are handles to the same file. The last one lets the threads finish what they have been given and
/// close it; it can be opened again at once.
///
/// # What it survives
///
/// | what happens | what becomes of sessions |
/// |---|---|
/// | the process is killed, the machine loses power | What was answered is there. What was under way was done as a whole or not at all. |
/// | the disk is full | Reads go on, writes fail as unavailable: sessions in use pass, no code is spent on a login. Once there is room again all goes on within a second, or ten times as long as it takes to open the file. |
/// | the disk fails to sync | What was not synced is not answered: the operation fails as unavailable. The system may take for written what it could not write, so a copy takes the place of the file before anything else is written; it needs room, and the time of [`compact`](Self::compact). Reads go on. |
/// | the disk hangs, or fails to read | As any store that is down: known sessions pass for their grace, everyone else gets 503. The file is opened anew until that works. |
/// | bytes of the file change | Opening it compares every page with its checksum, and fails with [`FileErrorKind::Damaged`]. Each record has a checksum of its own besides: one that changes later is refused by itself. |
/// | the wall clock is set back between two runs | The time goes on from the latest that is in the file, which each write notes, and once a minute if there is none. Nobody is logged out early, and nothing that was over begins again. A clock that was once years ahead leaves its time in the file: sessions last as long as they should, at dates that are ahead. |
/// | the wall clock is set forward between two runs | As a pause of that length: idle sessions end. |
/// | the wall clock is set while the process runs | Nothing. |
///
/// # What it does not
///
/// 1. A file belongs to one process. A second one gets [`FileErrorKind::InUse`] after 5 s: end the old process
///    before the new one begins. Several processes need a store that they share.
/// 2. The file has to be on a disk of this machine. Network file systems keep neither locks nor syncs as they
///    should.
/// 3. It is as durable as the disk: one that has not written what it calls synced loses that.
/// 4. Nobody else may move, replace or remove the file while it is open. It is noticed at the next write or within
///    a second: reads go on, and writes fail with [`FileErrorKind::Removed`] until the file is back. Its folder is
///    best one that only this service may write to.
/// 5. A backup is a copy made while no process has the file, or a snapshot of the whole file system. Whoever was
///    logged out since is logged in again by it.
/// 6. Of a file that was not closed, damage in what was written last looks like a transaction that was not finished:
///    it is left out.
/// 7. A damaged file may have redb panic; the store makes an error of it, and the hook for panics prints a line.
///    Built with `panic = "abort"` the process ends.
///
/// Whoever reads the file knows who is logged in, but cannot log in: it holds digests of tokens. It is made
/// for its owner alone (mode 600). session_keys are kept sealed only: see
/// [`seal_key`](crate::sessions::SessionsBuilder::seal_key).
///
/// # How large it gets
///
/// Some 400 bytes for each session, and the application's data. A file that is full grows to twice its size; most
/// of that takes no room on the disk before it is used. It never grows to more than four times of what it has
/// had to hold at one time.
///
/// Sessions are kept as long as [`Record::kept_until`] says. What is over goes a little at a time: two sessions for
/// each one that is written, and 3000 a second while little is. The room that they leave is used for others;
/// [`compact`](Self::compact) gives it back to the disk. So does [`open`](Self::open), where two thirds of the file
/// are free and it takes no longer than 3 s.
///
/// 64 MiB of memory hold pages of the file, twice that while it is compacted. Opening it reads all of it: 1 to
/// 3 s for a million sessions.
#[derive(Clone)]
pub struct FileStore(Arc<Handle>);

/// Ends the threads with the last clone.
struct Handle(Arc<Inner>);

impl FileStore {
    /// Opens the file, or makes it, in a folder that is there. A link is followed, and stays a link.
    ///
    /// It reads the whole file, so it blocks: call it as the process starts.
    ///
    /// # Errors
    ///
    /// A [`FileError`] says what is wrong with the file and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let (disk, latest) = Disk::open(path.as_ref())?;
        Self::start(path.as_ref(), disk, Clock::monotonic_from(latest))
    }

    /// Makes the file smaller, by a copy of it without what is free; how many bytes that gives back: 0 where a copy
    /// would be no smaller, and the file stays as it is.
    ///
    /// Reads go on meanwhile, and writes wait: logins get 503, uses and ends of sessions are written
    /// afterwards. The disk needs room for the copy. A copy takes 15 to 20 s for a million sessions.
    ///
    /// # Errors
    ///
    /// The copy could not be made, and the file is as it was: the disk is full, for one.
    pub async fn compact(&self) -> Result<u64, StoreError> {
        self.inner().compact().await
    }

    /// The same on a clock that a test moves.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    #[cfg(any(test, feature = "test-util"))]
    pub fn with_clock(
        path: impl AsRef<Path>,
        clock: crate::time::ManualClock,
    ) -> Result<Self, FileError> {
        let (disk, _) = Disk::open(path.as_ref())?;
        Self::start(path.as_ref(), disk, clock.into())
    }

    fn start(path: &Path, disk: Disk, clock: Clock) -> Result<Self, FileError> {
        let inner = Arc::new(Inner::new(disk, clock));
        // Should a thread not start, those that did end with this.
        let store = Self(Arc::new(Handle(Arc::clone(&inner))));
        let started = writer::start(&inner).and_then(|()| readers::start(&inner));
        started.map_err(|error| FileError::io(path, error))?;
        Ok(store)
    }

    fn inner(&self) -> &Inner {
        &self.0.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl SessionStore for FileStore {
    async fn insert(&self, insert: Insert) -> Result<Inserted, StoreError> {
        let inner = self.inner();
        inner.write(move |writing| writing.insert(insert)).await
    }

    async fn load(&self, id: SessionId) -> Result<Loaded, StoreError> {
        let stored = self
            .inner()
            .read(move |reading| stored(reading, id))
            .await?;
        let now = self.inner().clock.now();
        Ok(stored.map_or(Loaded::NeverSeen, |stored| stored.loaded(now)))
    }

    async fn touch(&self, touch: Touch) -> Result<Option<Timestamp>, StoreError> {
        let written = self
            .inner()
            .write(move |writing| writing.touch(&touch))
            .await;
        match written {
            Err(error) if error.is_unavailable() => self.touch_unwritten(touch, error).await,
            touched => touched,
        }
    }

    async fn rotate(&self, rotate: Rotate) -> Result<Rotated, StoreError> {
        let inner = self.inner();
        inner.write(move |writing| writing.rotate(rotate)).await
    }

    async fn revoke(&self, revoke: Revoke) -> Result<Vec<SessionId>, StoreError> {
        let inner = self.inner();
        inner.write(move |writing| writing.revoke(&revoke)).await
    }

    async fn list(&self, user: Identity) -> Result<Vec<(SessionId, Record)>, StoreError> {
        let clock = self.inner().clock.clone();
        let list = move |reading: &ReadTransaction| {
            let sessions = sessions_of(reading, &user)?;
            Ok(Ledger::new(clock.now(), sessions).list())
        };
        self.inner().read(list).await
    }

    async fn put_session_key(&self, put: PutSessionKey) -> Result<(), StoreError> {
        let inner = self.inner();
        inner
            .write(move |writing| writing.put_session_key(put))
            .await
    }

    async fn session_keys(&self, user: Identity) -> Result<Vec<Vec<u8>>, StoreError> {
        let user = user_name_bytes(&user);
        let kept = self.inner().read(move |reading| {
            tables::keys_of(&reading.open_table(tables::SESSION_KEYS)?, &user)
        });
        let now = self.inner().clock.now();
        Ok(kept.await?.unwrap_or_default().live(now))
    }

    async fn tag_keys(&self, offer: TagKey) -> Result<Vec<TagKey>, StoreError> {
        let inner = self.inner();
        inner.write(move |writing| writing.tag_keys(offer)).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(self.inner().clock.now())
    }

    async fn writable(&self, bucket: [u8; 2]) -> Result<(), StoreError> {
        let trial = self.inner().write(|writing| {
            writing.try_writing();
            Ok(())
        });
        match trial.await {
            // Whoever can still read is to know that it is there.
            Err(error) if self.reach(bucket).await.is_ok() => {
                Err(StoreError::unwritten().caused_by(error))
            }
            trial => trial,
        }
    }

    async fn reach(&self, _: [u8; 2]) -> Result<(), StoreError> {
        let sessions = self
            .inner()
            .read(|reading| Ok(reading.open_table(tables::SESSIONS)?));
        sessions.await.map(drop)
    }

    async fn subscribe(&self) -> Result<Feed, StoreError> {
        Ok(self.inner().feeds.subscribe())
    }
}

impl FileStore {
    /// What would become of a use that could not be written.
    async fn touch_unwritten(
        &self,
        touch: Touch,
        error: StoreError,
    ) -> Result<Option<Timestamp>, StoreError> {
        let kept = self
            .inner()
            .read(move |reading| stored(reading, touch.id))
            .await?;
        let Some(Stored::Kept(before)) = kept else {
            return Ok(None);
        };
        let mut record = before.clone();
        let deadline = record.touch(&touch, self.inner().clock.now());
        if record == before {
            return Ok(deadline);
        }
        Err(StoreError::unwritten().caused_by(error))
    }
}

fn stored(reading: &ReadTransaction, id: SessionId) -> Result<Option<Stored>, Fault> {
    tables::session(&reading.open_table(tables::SESSIONS)?, id)
}

/// The sessions of a user, without those that are damaged.
fn sessions_of(
    reading: &ReadTransaction,
    user: &Identity,
) -> Result<Vec<(SessionId, Stored)>, Fault> {
    let sessions = reading.open_table(tables::SESSIONS)?;
    let ids = tables::sessions_of(&reading.open_table(tables::USERS)?, user)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        match tables::session(&sessions, id) {
            Err(Fault::Record(_)) => {}
            kept => found.extend(kept?.map(|stored| (id, stored))),
        }
    }
    Ok(found)
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").finish_non_exhaustive()
    }
}
