//! A file of which bytes have changed.

use std::fs;

use tower_wx_session::store::{FileErrorKind, FileStore, SessionStore, TagKey};
use tower_wx_session::test_util::ManualClock;

use super::Folder;
use super::contents::{self, Answer};

const SESSIONS: u32 = 120;
/// Behind the file's header.
const FIRST_PAGE: usize = 4096;

/// A file that was closed, and what is in it.
struct Whole {
    folder: Folder,
    clock: ManualClock,
    bytes: Vec<u8>,
    answers: Vec<Answer>,
}

impl Whole {
    async fn new() -> Self {
        let (folder, clock) = (Folder::in_memory(), ManualClock::new());
        let store = FileStore::with_clock(folder.file(), clock.clone()).unwrap();
        let tag_key = TagKey::new(1, [1; 16]).usable_from(clock.now());
        store.tag_keys(tag_key).await.unwrap();
        contents::fill(&store, 0..SESSIONS).await;
        let answers = contents::read(&store, SESSIONS).await;
        Self {
            answers: answers.into_iter().map(Result::unwrap).collect(),
            bytes: folder.read_closed(store),
            folder,
            clock,
        }
    }

    /// Bytes that mean something: `count` of them, all over the file.
    fn positions(&self, count: usize) -> Vec<usize> {
        let written = (FIRST_PAGE..self.bytes.len()).filter(|at| self.bytes[*at] != 0);
        let written: Vec<_> = written.collect();
        (0..count)
            .map(|n| written[n * written.len() / count])
            .collect()
    }

    /// Whether the file was refused with this byte changed; `false` if all was read as it was.
    async fn is_refused(&self, position: usize) -> bool {
        let mut damaged = self.bytes.clone();
        damaged[position] ^= 0x5A;
        let path = self.folder.path().join(position.to_string());
        fs::write(&path, damaged).unwrap();
        let opened = FileStore::with_clock(&path, self.clock.clone());
        let read = match &opened {
            Ok(store) => contents::read(store, SESSIONS).await,
            Err(error) => {
                assert_eq!(error.kind(), FileErrorKind::Damaged, "byte {position}");
                Vec::new()
            }
        };
        fs::remove_file(&path).unwrap();
        for (answer, right) in read.into_iter().zip(&self.answers) {
            assert_eq!(answer.ok().as_ref(), Some(right), "byte {position}");
        }
        opened.is_err()
    }
}

async fn damage(count: usize) {
    let whole = Whole::new().await;
    let mut refused = 0;
    for position in whole.positions(count) {
        refused += usize::from(whole.is_refused(position).await);
    }
    println!("{refused} of {count} damaged files were refused, the others read as they were");
    assert!(refused > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_refused_or_read_as_it_was() {
    damage(20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn many_damaged_files_are_refused_or_read_as_they_were() {
    damage(250).await;
}
