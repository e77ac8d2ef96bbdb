//! What a file has to be like, and what is said of one that is not.

use std::fs;

use tower_wx_session::store::{FileErrorKind, FileStore, Loaded, SessionStore};

use super::{Folder, contents};

#[tokio::test]
async fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::MetadataExt;

    let folder = Folder::new();
    let store = FileStore::open(folder.file()).unwrap();
    let mode = || fs::metadata(folder.file()).unwrap().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    assert!(store.compact().await.unwrap() > 0);
    assert_eq!(mode(), 0o600, "so is a copy");
    let names = fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 1, "nothing beside it");
}

#[tokio::test]
async fn the_text_says_what_to_do() {
    let folder = Folder::new();
    let cases = [
        ("".into(), FileErrorKind::NotAFile, "give the path of one"),
        (
            folder.path().join("no/sessions.redb"),
            FileErrorKind::FolderMissing,
            "make it first",
        ),
        (
            folder.path().to_owned(),
            FileErrorKind::NotAFile,
            "give the path of one",
        ),
        ("".into(), FileErrorKind::NotAFile, "give the path of one"),
        (
            foreign(&folder).join("sessions.redb"),
            FileErrorKind::FolderMissing,
            "its folder is missing",
        ),
        (
            foreign(&folder),
            FileErrorKind::Foreign,
            "a file of its own",
        ),
    ];
    for (path, kind, advice) in cases {
        let error = FileStore::open(&path).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.path(), path);
        let text = error.to_string();
        assert!(
            text.contains(advice) && text.contains(path.to_str().unwrap()),
            "{text}"
        );
    }
}

/// As a deployment does that keeps its data apart from its releases.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_a_file_stays_one() {
    let folder = Folder::in_memory();
    fs::create_dir(folder.path().join("data")).unwrap();
    let link = folder.path().join("link.redb");
    let (to, file) = (
        "data/sessions.redb",
        folder.path().join("data/sessions.redb"),
    );
    std::os::unix::fs::symlink(to, &link).unwrap();

    let store = FileStore::open(&link).unwrap();
    contents::fill(&store, 0..3).await;
    assert!(store.compact().await.unwrap() > 0);
    contents::fill(&store, 3..6).await;
    drop(store);
    let is_link = |path| fs::symlink_metadata(path).unwrap().is_symlink();
    assert!(is_link(&link) && !is_link(&file));
    let store = FileStore::open(&file).unwrap();
    for number in 0..6 {
        let loaded = store.load(contents::id(number)).await.unwrap();
        assert!(matches!(loaded, Loaded::Live(_)), "{number}");
    }
}

#[tokio::test]
async fn what_is_written_beside_a_file_goes_to_no_file_of_others() {
    let folder = Folder::in_memory();
    let store = FileStore::open(folder.file()).unwrap();
    contents::fill(&store, 0..3).await;
    let others = foreign(&folder);
    std::os::unix::fs::symlink(&others, folder.path().join("sessions.redb.copy")).unwrap();
    assert!(store.compact().await.unwrap() > 0);
    assert_eq!(fs::read_to_string(others).unwrap(), "milk, bread");
    contents::fill(&store, 3..6).await;
}

fn foreign(folder: &Folder) -> std::path::PathBuf {
    let path = folder.path().join("notes.txt");
    fs::write(&path, "milk, bread").unwrap();
    path
}

#[tokio::test]
async fn a_file_of_something_else_is_left_alone() {
    let folder = Folder::new();
    let path = foreign(&folder);
    FileStore::open(&path).unwrap_err();
    assert_eq!(fs::read_to_string(path).unwrap(), "milk, bread");
}

#[tokio::test]
async fn a_file_that_is_open_is_not_opened_twice() {
    let folder = Folder::new();
    let store = FileStore::open(folder.file()).unwrap();
    let error = FileStore::open(folder.file()).unwrap_err();
    assert_eq!(error.kind(), FileErrorKind::InUse);
    // What a `main` that returns it prints.
    assert!(
        format!("{error:?}").contains(&error.to_string()),
        "{error:?}"
    );
    contents::fill(&store, 0..1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_handle_gives_the_file_free_at_once_and_loses_nothing() {
    let folder = Folder::in_memory();
    for round in 0..20 {
        let store = FileStore::open(folder.file()).unwrap();
        contents::fill(&store, 10 * round..10 * (round + 1)).await;
        // Under way as the handle goes.
        let late = store.clone();
        tokio::spawn(async move { contents::fill(&late, 1000 + round..1001 + round).await });
        for number in 0..10 * round {
            let loaded = store.load(contents::id(number)).await.unwrap();
            assert!(matches!(loaded, Loaded::Live(_)), "{number}");
        }
    }
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_damaged() {
    let folder = Folder::in_memory();
    let store = FileStore::open(folder.file()).unwrap();
    contents::fill(&store, 0..300).await;
    let whole = folder.read_closed(store);
    for length in [1, 9, 400, 5000, whole.len() / 2, whole.len() - 1] {
        let path = folder.path().join(format!("cut-{length}"));
        fs::write(&path, &whole[..length]).unwrap();
        let error = FileStore::open(&path).unwrap_err();
        let kind = error.kind();
        let is_told = matches!(kind, FileErrorKind::Damaged | FileErrorKind::Foreign);
        assert!(is_told, "{length} bytes: {error} ({kind:?})");
    }
}
