//! How large a file gets.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tokio::time::sleep;
use tower_wx_session::store::{FileStore, Insert, Inserted, Loaded, SessionStore};
use tower_wx_session::test_util::ManualClock;

use super::{Folder, contents};
use crate::eventually::eventually;

/// Sessions that are never used are collected after so long.
const KEPT: Duration = Duration::from_secs(8 * 3600 + 1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn what_expires_makes_room_for_what_comes() {
    let (folder, clock) = (Folder::in_memory(), ManualClock::new());
    let store = FileStore::with_clock(folder.file(), clock.clone()).unwrap();
    let mut sizes = Vec::new();
    for generation in 0..8 {
        let first = generation * 2000;
        contents::fill(&store, first..first + 2000).await;
        sizes.push(fs::metadata(folder.file()).unwrap().len());
        clock.advance(KEPT);
        let loaded = store.load(contents::id(first)).await.unwrap();
        assert_eq!(loaded, Loaded::NeverSeen);
    }
    // What expires goes while others come, and a transaction keeps what it changes twice, so there is up to twice
    // as much at once; and a file grows to twice its size when it is full.
    assert!(sizes[7] <= 4 * sizes[0], "{sizes:?}");
}

/// However many go into one transaction, each takes two along.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_all_at_once_takes_along_what_has_expired() {
    let (folder, clock) = (Folder::in_memory(), ManualClock::new());
    let store = FileStore::with_clock(folder.file(), clock.clone()).unwrap();
    contents::fill(&store, 0..1500).await;
    clock.advance(KEPT);
    contents::fill(&store, 1500..2250).await;
    let last = (0..1500)
        .max_by_key(|number| contents::id(*number))
        .unwrap();
    let insert = Insert::new(contents::id(last), contents::record(last, clock.now()));
    let inserted = store.insert(insert).await.unwrap();
    assert_ne!(inserted, Inserted::Taken, "the last is gone");
}

/// Each write takes two along: ten writes a second alone would take more than a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_now_and_then_does_not_put_off_what_goes_by_itself() {
    let (folder, clock) = (Folder::in_memory(), ManualClock::new());
    let store = FileStore::with_clock(folder.file(), clock.clone()).unwrap();
    contents::fill(&store, 0..1500).await;
    clock.advance(KEPT);
    // All are due at the same time, and go in the order of their ids.
    let last = (0..1500)
        .max_by_key(|number| contents::id(*number))
        .unwrap();
    let record = contents::record(last, clock.now());
    let is_gone = async || {
        sleep(Duration::from_millis(100)).await;
        let insert = Insert::new(contents::id(last), record.clone());
        store.insert(insert).await.unwrap() != Inserted::Taken
    };
    eventually("the last to go", is_gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_gives_back_what_is_free_and_keeps_the_rest() {
    let (folder, clock) = (Folder::in_memory(), ManualClock::new());
    let open = || FileStore::with_clock(folder.file(), clock.clone()).unwrap();
    let store = open();
    contents::fill(&store, 0..1500).await;
    clock.advance(KEPT);
    contents::fill(&store, 1500..3000).await;
    let before = contents::read(&store, 3000).await;
    let room = || 512 * fs::metadata(folder.file()).unwrap().blocks();
    let size = room();

    let compacting = tokio::spawn({
        let store = store.clone();
        async move { store.compact().await.unwrap() }
    });
    // What comes meanwhile waits, and is not lost.
    contents::fill(&store, 3000..3003).await;
    let given_back = compacting.await.unwrap();
    assert!(given_back > 0);
    assert!(room() < size, "{given_back} bytes less than {size}");
    drop(store);
    let store = open();
    for (answer, before) in contents::read(&store, 3000).await.into_iter().zip(before) {
        assert_eq!(answer.unwrap(), before.unwrap());
    }
    let late = store.load(contents::id(3000)).await.unwrap();
    assert!(matches!(late, Loaded::Live(_)));
    let names = fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 1, "nothing beside it");
}
