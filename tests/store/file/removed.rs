//! A file that loses its name while it is open: what is written to it is not there after a restart.

use std::fs;

use tower_wx_session::store::{FileStore, Loaded, SessionStore};

use super::{Folder, contents};
use crate::eventually::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_moved_is_read_and_not_written_until_it_is_back() {
    let folder = Folder::in_memory();
    let store = FileStore::open(folder.file()).unwrap();
    contents::fill(&store, 0..3).await;
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(folder.file(), &elsewhere).unwrap();
    is_refused(&store).await;
    let loaded = store.load(contents::id(0)).await.unwrap();
    assert!(matches!(loaded, Loaded::Live(_)), "{loaded:?}");

    fs::rename(&elsewhere, folder.file()).unwrap();
    eventually("a write", async || store.writable([0, 0]).await.is_ok()).await;
    contents::fill(&store, 3..6).await;
    drop(store);
    let store = FileStore::open(folder.file()).unwrap();
    for number in 0..6 {
        let loaded = store.load(contents::id(number)).await.unwrap();
        assert!(matches!(loaded, Loaded::Live(_)), "{number} is {loaded:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_replaced_is_left_to_whoever_did() {
    let folder = Folder::in_memory();
    let store = FileStore::open(folder.file()).unwrap();
    contents::fill(&store, 0..3).await;
    let other = folder.path().join("other");
    fs::write(&other, "milk, bread").unwrap();
    fs::rename(&other, folder.file()).unwrap();
    is_refused(&store).await;
    store.compact().await.unwrap_err();
    let kept = fs::read_to_string(folder.file()).unwrap();
    assert_eq!(kept, "milk, bread");
}

async fn is_refused(store: &FileStore) {
    let error = store.writable([0, 0]).await.unwrap_err();
    assert!(format!("{error:?}").contains("Removed"), "{error:?}");
}
