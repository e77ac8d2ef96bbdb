//! A disk that fails to sync: what Linux could not write it takes for written, and the next sync succeeds.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tower_wx_session::store::{FileStore, Insert, Loaded, SessionStore};

use super::child::{TestProcess, file_of_child, tell};
use super::{Folder, contents};
use crate::eventually::eventually;

/// The name of a file that has the next sync fail.
const FAILING: &str = "NEXT_SYNC_FAILS";

#[test]
fn a_file_that_could_not_be_synced_is_written_anew_before_it_is_written_to() {
    let folder = Folder::in_memory();
    let preload = format!("LD_PRELOAD={}", syncs(&folder).display());
    let failing = format!("{FAILING}={}", failing(&folder.file()).display());
    let test = "file::failed_sync::child_whose_syncs_fail";
    let mut child = TestProcess::start(&["env", &preload, &failing], test, &folder.file());
    child.wait_for("done");
}

/// A library that takes the place of the system's syncs.
fn syncs(folder: &Folder) -> PathBuf {
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/store/file/failed_sync.c"
    );
    let library = folder.path().join("syncs.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-D_GNU_SOURCE", "-shared", "-fPIC", "-o"]);
    let built = compiler.arg(&library).arg(source).status();
    assert!(built.expect("a C compiler").success());
    library
}

fn fail_next_sync(file: &Path) {
    fs::write(failing(file), []).unwrap();
}

fn failing(file: &Path) -> PathBuf {
    file.with_extension("failing")
}

/// No test by itself: the child of the one above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the test above"]
async fn child_whose_syncs_fail() {
    let Some(file) = file_of_child() else { return };
    let store = FileStore::open(&file).unwrap();
    contents::fill(&store, 0..30).await;
    let before = fs::metadata(&file).unwrap().ino();
    fail_next_sync(&file);
    insert(&store, 100).await.unwrap_err();
    reads_all(&store).await;
    assert_eq!(fs::metadata(&file).unwrap().ino(), before);

    // Whoever tries next fails, too.
    fail_next_sync(&file);
    eventually("a write", async || insert(&store, 300).await.is_ok()).await;
    assert!(!failing(&file).exists());
    assert_ne!(fs::metadata(&file).unwrap().ino(), before, "it is a copy");
    reads_all(&store).await;
    let copy = fs::metadata(&file).unwrap().ino();
    contents::fill(&store, 30..33).await;
    assert_eq!(fs::metadata(&file).unwrap().ino(), copy, "made once");
    drop(store);
    let store = FileStore::open(&file).unwrap();
    reads_all(&store).await;
    tell("done");
}

async fn insert(store: &FileStore, number: u32) -> Result<(), tower_wx_session::store::StoreError> {
    let record = contents::record(number, store.now().await.unwrap());
    let insert = Insert::new(contents::id(number), record);
    store.insert(insert).await.map(drop)
}

async fn reads_all(store: &FileStore) {
    for number in 0..30 {
        let loaded = store.load(contents::id(number)).await.unwrap();
        assert!(matches!(loaded, Loaded::Live(_)), "{number} is {loaded:?}");
    }
}
