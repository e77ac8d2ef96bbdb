//! What is there when a file is opened again.

use std::time::Duration;

use tower_wx_session::store::{
    EndReason, FileStore, Loaded, PutSessionKey, Revoke, RevokeReason, Rotate, Rotated,
    SessionStore, TagKey, Timestamp, Touch,
};
use tower_wx_session::test_util::ManualClock;

use super::{Folder, contents};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_restart_logs_nobody_out_and_brings_nobody_back() {
    let (folder, clock) = (Folder::in_memory(), ManualClock::new());
    let open = || FileStore::with_clock(folder.file(), clock.clone()).unwrap();
    let store = open();
    contents::fill(&store, 0..60).await;
    let tag_key = TagKey::new(3, [7; 16]).usable_from(clock.now());
    store.tag_keys(tag_key.clone()).await.unwrap();
    let revoke = Revoke::new(contents::id(0), RevokeReason::KickedOut);
    store.revoke(revoke).await.unwrap();
    let everyone = Revoke::new(contents::user(30), RevokeReason::LoggedOut);
    store.revoke(everyone).await.unwrap();
    let rotate = Rotate::new(contents::id(10), contents::id(1000), HOUR);
    assert!(matches!(
        store.rotate(rotate).await.unwrap(),
        Rotated::Done(_)
    ));
    clock.advance(HOUR);
    let touch = Touch::new(contents::id(20), clock.now(), Duration::ZERO);
    let deadline = store.touch(touch).await.unwrap();
    assert_eq!(deadline, Some(clock.now().after(2 * HOUR)));
    let before = contents::read(&store, 60).await;

    drop(store);
    let store = open();
    for (answer, before) in contents::read(&store, 60).await.into_iter().zip(before) {
        assert_eq!(answer.unwrap(), before.unwrap());
    }
    let older = TagKey::new(4, [8; 16]);
    assert_eq!(store.tag_keys(older).await.unwrap(), [tag_key]);
    assert_eq!(reason(&store, 0).await, Some(EndReason::KickedOut));
    for number in 30..33 {
        assert_eq!(reason(&store, number).await, Some(EndReason::LoggedOut));
    }
    clock.advance(HOUR + HOUR / 2);
    assert_eq!(reason(&store, 20).await, None, "it was used an hour ago");
    assert_eq!(reason(&store, 21).await, Some(EndReason::Idle));
}

async fn reason(store: &FileStore, number: u32) -> Option<EndReason> {
    store.load(contents::id(number)).await.unwrap().end_reason()
}

#[tokio::test]
async fn a_wall_clock_that_was_set_back_between_two_runs_sets_no_session_back() {
    let (folder, ahead) = (Folder::in_memory(), ManualClock::new());
    ahead.advance(24 * 365 * 50 * HOUR);
    let store = FileStore::with_clock(folder.file(), ahead.clone()).unwrap();
    contents::fill(&store, 0..1).await;
    ahead.advance(HOUR);
    let revoke = Revoke::new(contents::id(7), RevokeReason::LoggedOut);
    store.revoke(revoke).await.unwrap();
    contents::fill(&store, 9..10).await;

    drop(store);
    let store = FileStore::open(folder.file()).unwrap();
    let now = store.now().await.unwrap();
    assert!(now >= ahead.now(), "{now:?} is before {:?}", ahead.now());
    assert!(now < ahead.now().after(HOUR), "time goes on from there");
    let loaded = store.load(contents::id(0)).await.unwrap();
    let Loaded::Live(record) = loaded else {
        panic!("logged out: {loaded:?}");
    };
    assert!(
        record.idle_deadline <= now.after(HOUR),
        "an hour of it has passed"
    );
}

#[tokio::test]
async fn time_goes_on_while_a_store_is_closed() {
    let folder = Folder::in_memory();
    let store = FileStore::open(folder.file()).unwrap();
    let before = store.now().await.unwrap();
    drop(store);
    let store = FileStore::open(folder.file()).unwrap();
    let now = store.now().await.unwrap();
    let wall = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    assert!(now >= before);
    assert!(now <= Timestamp::from_millis(wall + 1000));
}

#[tokio::test]
async fn a_user_s_session_keys_go_when_their_time_has_come() {
    let (folder, clock) = (Folder::in_memory(), ManualClock::new());
    let store = FileStore::with_clock(folder.file(), clock.clone()).unwrap();
    let put = |key: u8, keep| {
        let key = (vec![key], [key; 16]);
        PutSessionKey::new(contents::user(0), key.0, key.1, keep, HOUR)
    };
    store.put_session_key(put(1, 10 * HOUR)).await.unwrap();
    store.put_session_key(put(2, 10 * HOUR)).await.unwrap();
    let keys = || async { store.session_keys(contents::user(0)).await.unwrap() };
    assert_eq!(keys().await, [vec![2], vec![1]]);
    clock.advance(HOUR);
    assert_eq!(keys().await, [vec![2]]);
    clock.advance(9 * HOUR);
    assert!(keys().await.is_empty());
    store.put_session_key(put(3, HOUR)).await.unwrap();
    assert_eq!(keys().await, [vec![3]]);
}
