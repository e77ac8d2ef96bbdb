//! How large a file gets.

use std::fs;
use std::time::Duration;

use tower_wx_session::store::{FileStore, Loaded, SessionStore};
use tower_wx_session::test_util::ManualClock;

use super::{Folder, contents};

/// Sessions that are never used are collected after so long.
const KEPT: Duration = Duration::from_secs(8 * 3600 + 1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
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
    // What expires goes while others come, so there are up to two generations at once; and a file grows to
    // twice its size when it is full.
    assert!(sizes[7] <= 4 * sizes[0], "{sizes:?}");
}
