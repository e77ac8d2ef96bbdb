//! A process that is killed while it writes, and while it puts a copy in the place of the file.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_wx_session::store::{
    FileStore, Insert, Loaded, Revoke, RevokeReason, Rotate, Rotated, SessionStore,
};

use super::child::{TestProcess, file_of_child, tell};
use super::{Folder, contents};

const GRACE: Duration = Duration::from_secs(600);
/// Tells a child which run it is.
const RUN: &str = "RUN_OF_CHILD";
/// Sessions of one run have numbers of their own.
const NUMBERS: u32 = 100_000;
const TASKS: u32 = 8;

/// What the child has told of a session.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    issued: bool,
    end_begun: bool,
    ended: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_a_kill_in_mid_write() {
    kill_for(Duration::from_secs(4)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn what_was_acknowledged_outlives_a_hundred_kills() {
    kill_for(Duration::from_secs(20)).await;
}

async fn kill_for(span: Duration) {
    let folder = Folder::in_memory();
    let mut told = HashMap::new();
    let started = Instant::now();
    let mut kills = 0;
    while started.elapsed() < span || kills < 4 {
        tell_apart(&folder, kills, &mut told);
        kills += 1;
        let store = FileStore::open(folder.file()).unwrap();
        for (number, told) in &told {
            check(&store, *number, *told).await;
        }
    }
    let ended = told.values().filter(|told| told.ended).count();
    println!("{kills} kills, {} sessions, {ended} ended", told.len());
    assert!(ended > 10, "{kills} kills, {ended} ends");
}

/// Runs the child, kills it at some moment, and notes what it has told.
fn tell_apart(folder: &Folder, run: u32, told: &mut HashMap<u32, Told>) {
    let test = "file::crash::child_writes_until_it_is_killed";
    let number = format!("{RUN}={run}");
    let mut child = TestProcess::start(&["env", &number], test, &folder.file());
    child.wait_for("begins");
    // Any moment is as good as another: the other tasks are in the middle of something.
    let mut left = 20 + run * 37 % 150;
    while let Some(line) = child.line() {
        left = left.saturating_sub(1);
        if left == 0 {
            child.kill();
        }
        let (what, number) = line.split_once(' ').unwrap();
        let number: u32 = number.parse().unwrap();
        let session = told.entry(run * NUMBERS + number).or_default();
        match what {
            "issued" => session.issued = true,
            "ending" => session.end_begun = true,
            "ended" => session.ended = true,
            other => panic!("{other}"),
        }
    }
}

async fn check(store: &FileStore, number: u32, told: Told) {
    let loaded = store.load(contents::id(number)).await.unwrap();
    let (is_live, is_over) = match loaded {
        Loaded::Live(_) => (true, false),
        Loaded::Ended { .. } => (false, true),
        Loaded::NeverSeen => (false, false),
    };
    let right = match told {
        Told { ended: true, .. } => is_over,
        Told {
            issued: true,
            end_begun: true,
            ..
        } => is_live || is_over,
        Told { issued: true, .. } => is_live,
        _ => true,
    };
    assert!(right, "session {number} {told:?} is {loaded:?}");
}

/// No test by itself: the child of those above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the tests above"]
async fn child_writes_until_it_is_killed() {
    let Some(file) = file_of_child() else { return };
    let store = FileStore::open(file).unwrap();
    let run: u32 = std::env::var(RUN).unwrap().parse().unwrap();
    let first = run * NUMBERS;
    tell("begins");
    tokio::spawn(compact(store.clone()));
    let tasks = (0..TASKS).map(|task| tokio::spawn(write(store.clone(), first, task)));
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

/// Puts one copy after the other in the place of the file.
async fn compact(store: FileStore) {
    loop {
        store.compact().await.unwrap();
        sleep(Duration::from_millis(60)).await;
    }
}

async fn write(store: FileStore, first: u32, task: u32) {
    for turn in 0.. {
        let number = TASKS * 3 * turn + 3 * task;
        issue(&store, first, number).await;
        if turn % 2 == 0 {
            end(&store, first, number, number).await;
        } else {
            let new = number + 1;
            let rotate = Rotate::new(
                contents::id(first + number),
                contents::id(first + new),
                GRACE,
            );
            let rotated = store.rotate(rotate).await.unwrap();
            assert!(matches!(rotated, Rotated::Done(_)));
            tell(&format!("issued {new}"));
            // It takes its successor along.
            end(&store, first, number, new).await;
        }
    }
}

async fn issue(store: &FileStore, first: u32, number: u32) {
    let now = store.now().await.unwrap();
    let record = contents::record(first + number, now);
    let insert = Insert::new(contents::id(first + number), record);
    store.insert(insert).await.unwrap();
    tell(&format!("issued {number}"));
}

/// Ends one session, which ends `last`, too.
async fn end(store: &FileStore, first: u32, number: u32, last: u32) {
    for number in [number, last] {
        tell(&format!("ending {number}"));
    }
    let revoke = Revoke::new(contents::id(first + number), RevokeReason::LoggedOut);
    store.revoke(revoke).await.unwrap();
    for number in [number, last] {
        tell(&format!("ended {number}"));
    }
}
