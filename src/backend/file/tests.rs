//! Faults that only this crate can make.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use super::fault::Fault;
use super::transaction::FORMAT;
use super::*;
use crate::store::{EndReason, RevokeReason, StoreErrorKind};
use crate::sync::Lock;
use crate::time::ManualClock;

const DAY: Duration = Duration::from_secs(86_400);

/// A store in a file that goes with it.
struct Subject {
    store: FileStore,
    path: PathBuf,
}

impl Subject {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("file-store-unit-{}-{number}.redb", std::process::id());
        // In memory, where there is such a place: nothing here needs a disk.
        let memory = Some(PathBuf::from("/dev/shm")).filter(|folder| folder.is_dir());
        let path = memory.unwrap_or_else(std::env::temp_dir).join(name);
        let store = FileStore::open(&path).unwrap();
        Self { store, path }
    }

    async fn issue(&self, number: u8) -> SessionId {
        let user = Identity::new("appid", "openid");
        let mut id = [number; 18];
        id[..2].copy_from_slice(&user.bucket());
        let id = SessionId::from_bytes(id);
        let now = self.store.now().await.unwrap();
        let record = Record::issued(user, now, DAY, DAY, None);
        let inserted = self.store.insert(Insert::new(id, record)).await;
        assert_eq!(inserted.unwrap(), Inserted::Kept(Vec::new()));
        id
    }

    async fn damage(&self, id: SessionId) {
        let damage = move |writing: &mut transaction::Transaction<'_>| {
            let sessions = &mut writing.tables.sessions;
            sessions.insert(id.as_bytes(), b"damaged".as_slice())?;
            writing.is_dirty = true;
            Ok(())
        };
        self.store.inner().write(damage).await.unwrap();
    }

    fn reopen(&mut self) -> Result<(), FileError> {
        // The threads of the first one close the file when its last handle is gone.
        let other = Self::new();
        self.store = other.store.clone();
        self.store = FileStore::open(&self.path)?;
        Ok(())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[tokio::test]
async fn a_damaged_record_is_the_matter_of_its_own_session() {
    let subject = Subject::new();
    let store = &subject.store;
    let (first, damaged, last) = (
        subject.issue(1).await,
        subject.issue(2).await,
        subject.issue(3).await,
    );
    subject.damage(damaged).await;
    let error = store.load(damaged).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let user = Identity::new("appid", "openid");
    let listed = store.list(user.clone()).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|(id, _)| id).collect();
    assert_eq!(listed, [first, last]);

    let revoke = Revoke::new(user, RevokeReason::KickedOut);
    assert_eq!(store.revoke(revoke).await.unwrap(), [first, last]);
    let revoke = Revoke::new(damaged, RevokeReason::LoggedOut);
    assert_eq!(store.revoke(revoke).await.unwrap(), [damaged]);
    let loaded = store.load(damaged).await.unwrap();
    assert_eq!(loaded.end_reason(), Some(EndReason::LoggedOut));
}

#[tokio::test]
async fn a_file_of_a_newer_release_is_left_alone() {
    let mut subject = Subject::new();
    let newer = |writing: &mut transaction::Transaction<'_>| writing.put_meta(FORMAT, &[3]);
    subject.store.inner().write(newer).await.unwrap();
    let error = subject.reopen().unwrap_err();
    assert_eq!(error.kind(), FileErrorKind::NewerVersion);
}

#[tokio::test]
async fn a_panic_is_a_failure_of_what_was_under_way_alone() {
    let subject = Subject::new();
    let id = subject.issue(1).await;
    let written = subject.store.inner().write::<()>(|_| panic!("in a write"));
    let error = written.await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let read = subject.store.inner().read::<()>(|_| panic!("in a read"));
    read.await.unwrap_err();
    assert!(matches!(subject.store.load(id).await, Ok(Loaded::Live(_))));
    while subject.store.writable([0, 0]).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    subject.issue(2).await;
}

#[tokio::test]
async fn what_a_fault_keeps_from_being_read_is_read_when_the_file_was_opened_anew() {
    let subject = Subject::new();
    let reads = AtomicU32::new(0);
    let read = subject
        .store
        .inner()
        .read(move |_| match reads.fetch_add(1, Ordering::Relaxed) {
            0 => Err(Fault::File(Box::new(redb::Error::PreviousIo))),
            earlier => Ok(earlier),
        });
    assert_eq!(read.await.unwrap(), 1);
}

#[tokio::test]
async fn a_file_that_has_lost_its_tables_is_no_new_one() {
    let mut subject = Subject::new();
    let path = subject.path.with_extension("empty");
    let file = bounded::Bounded::new(opening::anew(&path).unwrap()).unwrap();
    drop(opening::unchecked(file).unwrap());
    std::fs::rename(&path, &subject.path).unwrap();
    let error = subject.reopen().unwrap_err();
    assert_eq!(error.kind(), FileErrorKind::Damaged);
}

#[tokio::test]
async fn a_disk_that_hangs_holds_up_no_thread_of_a_runtime() {
    let subject = Subject::new();
    let id = subject.issue(1).await;
    let (mut hanging, mut held) = (JoinSet::new(), Vec::new());
    let begun = Arc::new(AtomicUsize::new(0));
    for number in 1..=readers::count() {
        let (store, now_begun) = (subject.store.clone(), Arc::clone(&begun));
        let (hold, until_released) = mpsc::channel::<()>();
        let until_released = Lock::from(until_released);
        held.push(hold);
        let hang = move |_: &ReadTransaction| {
            now_begun.fetch_add(1, Ordering::Relaxed);
            let _ = until_released.lock().recv();
            Ok(())
        };
        hanging.spawn(async move { store.inner().read(hang).await });
        while begun.load(Ordering::Relaxed) < number {
            yield_now().await;
        }
    }
    // On the one thread of this test.
    let load = timeout(Duration::from_millis(20), subject.store.load(id));
    load.await.unwrap_err();
    drop(held);
    assert!(matches!(subject.store.load(id).await, Ok(Loaded::Live(_))));
    hanging.join_all().await;
}

/// The latest time in the file, as who opens it next finds it.
fn latest(store: &FileStore) -> Timestamp {
    let latest = store.inner().disk.with(opening::latest_time);
    latest.unwrap()
}

#[tokio::test]
async fn each_commit_tells_the_time_whatever_it_writes() {
    let (subject, clock) = (Subject::new(), ManualClock::new());
    let file = subject.path.with_extension("time");
    let store = FileStore::with_clock(&file, clock.clone()).unwrap();
    let user = Identity::new("appid", "openid");
    let id = SessionId::from_bytes([1; 18]);
    let record = Record::issued(user.clone(), clock.now(), DAY, DAY / 24, None);
    store.insert(Insert::new(id, record)).await.unwrap();
    assert_eq!(latest(&store), clock.now(), "a login");
    clock.advance(DAY / 48);
    store
        .touch(Touch::new(id, clock.now(), DAY / 48))
        .await
        .unwrap();
    assert_eq!(latest(&store), clock.now(), "a use");
    clock.advance(DAY / 48);
    store
        .revoke(Revoke::new(id, RevokeReason::LoggedOut))
        .await
        .unwrap();
    assert_eq!(latest(&store), clock.now(), "an end");
    clock.advance(DAY / 48);
    let put = PutSessionKey::new(user.clone(), vec![1], [1; 16], DAY, DAY);
    store.put_session_key(put).await.unwrap();
    assert_eq!(latest(&store), clock.now(), "what writes no session");
    clock.advance(30 * DAY);
    store.writable([0, 0]).await.unwrap();
    let sessions = store.inner().read(move |reading| stored(reading, id));
    assert_eq!(sessions.await.unwrap(), None);
    assert_eq!(latest(&store), clock.now(), "what is collected");
    clock.advance(DAY);
    let over = Record::issued(user, clock.now(), Duration::ZERO, Duration::ZERO, None);
    store.insert(Insert::new(id, over)).await.unwrap();
    let sessions = store.inner().read(move |reading| stored(reading, id));
    assert_eq!(sessions.await.unwrap(), None);
    assert_eq!(latest(&store), clock.now(), "what the same commit collects");
    drop(store);
    std::fs::remove_file(file).unwrap();
}
