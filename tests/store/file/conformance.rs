//! The suite for stores, on a file.

use tower_wx_session::store::FileStore;
use tower_wx_session::test_util::ManualClock;
use tower_wx_session::test_util::conformance;

use super::Folder;
use crate::conformance::{InRealTime, OnManualClock};

fn on_manual_clock(folder: &Folder, clock: &ManualClock) -> OnManualClock<FileStore> {
    OnManualClock {
        store: FileStore::with_clock(folder.file(), clock.clone()).unwrap(),
        clock: clock.clone(),
        rounds: 200,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_store_passes_as_often_as_it_is_opened() {
    let (folder, clock) = (Folder::in_memory(), ManualClock::new());
    conformance::run(&on_manual_clock(&folder, &clock)).await;
    conformance::run(&on_manual_clock(&folder, &clock)).await;
}

#[tokio::test]
async fn the_file_store_passes_on_one_thread() {
    let folder = Folder::in_memory();
    conformance::run(&on_manual_clock(&folder, &ManualClock::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_store_passes_in_real_time() {
    let folder = Folder::in_memory();
    let store = FileStore::open(folder.file()).unwrap();
    conformance::run(&InRealTime(store)).await;
}
