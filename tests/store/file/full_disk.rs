//! A disk that is full, and has room again: the system refuses to let the file grow.

use std::process::Command;
use std::time::Duration;

use tokio::time::sleep;
use tower_wx_session::store::{
    FileStore, Insert, Loaded, Revoke, RevokeReason, SessionStore, StoreErrorKind, Touch,
};

use super::child::{TestProcess, file_of_child, tell};
use super::{Folder, contents};

/// The file's beginning fits into it, not its first growth.
const LIMIT: &str = "--fsize=3000000:unlimited";
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_full_disk_is_read_and_works_again_when_there_is_room() {
    let folder = Folder::in_memory();
    let test = "file::full_disk::child_fills_its_disk";
    // A write that is too long is an error then, and no signal.
    let limited = [
        "sh",
        "-c",
        "trap '' XFSZ; exec \"$@\"",
        "sh",
        "prlimit",
        LIMIT,
    ];
    let mut child = TestProcess::start(&limited, test, &folder.file());
    child.wait_for("full");
    limit(&child, "unlimited");
    child.wait_for("healed");
    limit(&child, "100000:unlimited");
    child.wait_for("no copy");
    limit(&child, "unlimited");
    child.wait_for("a copy");
}

/// How large a file of it may get.
fn limit(child: &TestProcess, bytes: &str) {
    let (limit, id) = (format!("--fsize={bytes}"), child.id().to_string());
    let limited = Command::new("prlimit")
        .args([&limit, "--pid", &id])
        .status();
    assert!(limited.unwrap().success());
}

/// No test by itself: the child of the one above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the test above"]
async fn child_fills_its_disk() {
    let Some(file) = file_of_child() else { return };
    let store = FileStore::open(file).unwrap();
    let count = fill(&store).await;
    refuses_writes(&store, count).await;
    reads_all(&store, count).await;
    tell("full");
    while insert(&store, count + 1).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    reads_all(&store, count).await;
    contents::fill(&store, count + 10..count + 2000).await;
    store.writable([0, 0]).await.unwrap();
    tell("healed");
    // Until the limit is there.
    while store.compact().await.is_ok() {}
    reads_all(&store, count).await;
    tell("no copy");
    while store.compact().await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    reads_all(&store, count).await;
    contents::fill(&store, count + 3000..count + 3010).await;
    tell("a copy");
}

/// Issues sessions until the disk is full; how many were issued.
async fn fill(store: &FileStore) -> u32 {
    for number in 0..100_000 {
        if let Err(error) = insert(store, number).await {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable);
            return number;
        }
    }
    panic!("there is no limit");
}

async fn insert(store: &FileStore, number: u32) -> Result<(), tower_wx_session::store::StoreError> {
    let mut record = contents::record(number, store.now().await.unwrap());
    record.data = Some("x".repeat(2000).into());
    store
        .insert(Insert::new(contents::id(number), record))
        .await
        .map(drop)
}

async fn refuses_writes(store: &FileStore, count: u32) {
    store.writable([0, 0]).await.unwrap_err();
    let revoke = Revoke::new(contents::id(0), RevokeReason::LoggedOut);
    store.revoke(revoke).await.unwrap_err();
    let now = store.now().await.unwrap();
    // What would be accepted is told from what would not.
    let touch = Touch::new(contents::id(0), now, HOUR);
    let error = store.touch(touch).await.unwrap_err();
    assert!(
        format!("{error:?}").contains("is_unwritten: true"),
        "{error:?}"
    );
    let unknown = Touch::new(contents::id(count + 1), now, HOUR);
    assert_eq!(store.touch(unknown).await.unwrap(), None);
}

async fn reads_all(store: &FileStore, count: u32) {
    for number in 0..count {
        let loaded = store.load(contents::id(number)).await.unwrap();
        assert!(matches!(loaded, Loaded::Live(_)), "{number} is {loaded:?}");
    }
}
