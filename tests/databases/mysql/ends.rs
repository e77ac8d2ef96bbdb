//! Ends of single sessions that come at the same time.

use futures_util::future::join_all;
use mysql_async::prelude::Queryable;
use tokio::time::timeout;
use tower_wx_session::SessionId;
use tower_wx_session::store::{
    EndReason, Loaded, MySqlStore, Revoke, RevokeReason, Rotate, Rotated, SessionStore, Timestamp,
};

use super::pool::waiting;
use super::records::{HOUR, SECOND, id, keep, literal, logout, named, user};
use crate::support::mariadb::{MariaDb, client, store};

/// Sessions of a user each.
async fn keep_many(store: &MySqlStore, numbers: std::ops::Range<u8>) -> Vec<SessionId> {
    let keep = |number| async move { keep(store, &named(&format!("o{number}")), number).await };
    join_all(numbers.map(keep)).await
}

/// The first two go by themselves, the others together.
async fn end_at_once(store: &MySqlStore, revocations: Vec<Revoke>) -> Vec<Vec<SessionId>> {
    let ended = revocations.into_iter().map(|revoke| store.revoke(revoke));
    let ended = timeout(5 * SECOND, join_all(ended)).await.unwrap();
    ended.into_iter().map(Result::unwrap).collect()
}

async fn reason(store: &MySqlStore, id: SessionId) -> Option<EndReason> {
    store.load(id).await.unwrap().end_reason()
}

#[tokio::test]
async fn of_ends_at_once_each_does_what_it_would_alone() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let plain = keep_many(&store, 0..10).await;
    let [kicked, old, over, late, twice] = keep_many(&store, 10..15).await[..] else {
        panic!("five are kept");
    };
    let new = id(&named("o11"), 99);
    let rotated = store.rotate(Rotate::new(old, new, HOUR)).await.unwrap();
    assert!(matches!(rotated, Rotated::Done(_)), "{rotated:?}");
    let kick = |id| Revoke::new(id, RevokeReason::KickedOut);
    store.revoke(kick(over)).await.unwrap();
    let unknown = id(&user(), 200);
    let issued_later = {
        let Loaded::Live(record) = store.load(late).await.unwrap() else {
            panic!("it is live");
        };
        let mut revoke = logout(late);
        revoke.issued_by = Some(Timestamp::from_millis(record.issued_at.as_millis() - 1));
        revoke
    };

    let mut at_once: Vec<_> = plain.iter().map(|id| logout(*id)).collect();
    at_once.extend([kick(kicked), logout(old), logout(over), issued_later]);
    at_once.extend([logout(twice), logout(twice), logout(unknown)]);
    let mut ended = end_at_once(&store, at_once).await;
    let others = ended.split_off(plain.len());
    assert_eq!(ended, plain.iter().map(|id| vec![*id]).collect::<Vec<_>>());
    let expected: [&[_]; 7] = [&[kicked], &[old, new], &[], &[], &[twice], &[], &[]];
    assert_eq!(others, expected);

    let logged_out = plain.iter().chain([&old, &new, &twice]);
    for id in logged_out {
        assert_eq!(reason(&store, *id).await, Some(EndReason::LoggedOut));
    }
    for id in [kicked, over] {
        assert_eq!(reason(&store, id).await, Some(EndReason::KickedOut));
    }
    let loaded = store.load(late).await.unwrap();
    assert!(matches!(loaded, Loaded::Live(_)), "{loaded:?}");
    assert_eq!(store.load(unknown).await.unwrap(), Loaded::NeverSeen);
    let changes = "SELECT COUNT(*) FROM wxs_changes";
    let changes: u32 = client(&url)
        .await
        .query_first(changes)
        .await
        .unwrap()
        .unwrap();
    // Of the rotation and the kick before; two alone, those together, and the one with a successor by itself.
    assert_eq!(changes, 2 + 2 + 1 + 1, "what goes together is one change");
}

#[tokio::test]
async fn what_the_server_cannot_reckon_with_keeps_no_other_session_from_its_end() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let sessions = keep_many(&store, 0..10).await;
    let damage = format!(
        "UPDATE wxs_sessions SET idle_deadline = 9223372036854775807 WHERE id = {}",
        literal(sessions[5].as_bytes())
    );
    client(&url).await.query_drop(damage).await.unwrap();
    let ended = end_at_once(&store, sessions.iter().map(|id| logout(*id)).collect()).await;
    assert_eq!(ended.concat(), sessions);
    for id in sessions {
        assert_eq!(reason(&store, id).await, Some(EndReason::LoggedOut));
    }
}

#[tokio::test]
async fn a_session_that_somebody_has_locked_holds_up_no_other_end() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let sessions = keep_many(&store, 0..10).await;
    let locked = sessions[5];
    let mut holder = client(&url).await;
    holder.query_drop("START TRANSACTION").await.unwrap();
    let name = literal(locked.as_bytes());
    let lock = format!("SELECT id FROM wxs_sessions WHERE id = {name} FOR UPDATE");
    holder.query_drop(lock).await.unwrap();

    let ending = {
        let store = store.clone();
        let all = sessions.iter().map(|id| logout(*id)).collect();
        tokio::spawn(async move { end_at_once(&store, all).await })
    };
    waiting(&url).await;
    for id in sessions.iter().filter(|id| **id != locked) {
        assert_eq!(reason(&store, *id).await, Some(EndReason::LoggedOut));
    }
    assert_eq!(reason(&store, locked).await, None);
    holder.query_drop("COMMIT").await.unwrap();
    assert_eq!(ending.await.unwrap().concat(), sessions);
}
