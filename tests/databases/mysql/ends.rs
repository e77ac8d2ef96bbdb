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
use crate::support::eventually::eventually;
use crate::support::mariadb::{MariaDb, client, store};

/// Sessions of a user each.
async fn keep_many(store: &MySqlStore, numbers: std::ops::Range<u8>) -> Vec<SessionId> {
    let keep = |number| async move { keep(store, &named(&format!("o{number}")), number).await };
    join_all(numbers.map(keep)).await
}

async fn end_at_once(store: &MySqlStore, revocations: Vec<Revoke>) -> Vec<Vec<SessionId>> {
    let ended = revocations.into_iter().map(|revoke| store.revoke(revoke));
    let ended = timeout(5 * SECOND, join_all(ended)).await.unwrap();
    ended.into_iter().map(Result::unwrap).collect()
}

async fn number(url: &str, select: &str) -> u64 {
    client(url)
        .await
        .query_first(select)
        .await
        .unwrap()
        .unwrap()
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

#[tokio::test]
async fn an_end_has_its_place_in_the_index_of_what_is_due_once_links_know_of_it() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let sessions = keep_many(&store, 0..200).await;
    let Loaded::Live(record) = store.load(sessions[0]).await.unwrap() else {
        panic!("it is live");
    };
    let fresh = keep(&store, &user(), 1).await;
    end_at_once(
        &store,
        sessions
            .iter()
            .chain([&fresh])
            .map(|id| logout(*id))
            .collect(),
    )
    .await;
    let age = format!(
        "UPDATE wxs_sessions SET sweep_at = sweep_at + 300000 WHERE id <> {}",
        literal(fresh.as_bytes())
    );
    client(&url).await.query_drop(age).await.unwrap();

    let _link = store.subscribe().await.unwrap();
    let left = "SELECT COUNT(*) FROM wxs_sessions WHERE sweep_at < 0";
    eventually("all but one to be told", async || {
        number(&url, left).await == 1
    })
    .await;
    let place = format!(
        "SELECT sweep_at FROM wxs_sessions WHERE id = {}",
        literal(sessions[0].as_bytes())
    );
    let place = number(&url, &place).await;
    assert_eq!(
        place,
        record.absolute_end.as_millis(),
        "the reason is kept until then"
    );
    for id in sessions.into_iter().chain([fresh]) {
        assert_eq!(reason(&store, id).await, Some(EndReason::LoggedOut));
    }
}

#[tokio::test]
async fn what_the_server_has_not_ended_is_not_answered_as_done() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let sessions = keep_many(&store, 0..10).await;
    let refuse = "CREATE TRIGGER refuses BEFORE UPDATE ON wxs_sessions \
         FOR EACH ROW SIGNAL SQLSTATE '45000'";
    client(&url).await.query_drop(refuse).await.unwrap();
    let ended = sessions.iter().map(|id| store.revoke(logout(*id)));
    let ended = join_all(ended).await;
    assert!(ended.iter().all(Result::is_err), "{ended:?}");
    for id in sessions {
        assert_eq!(reason(&store, id).await, None);
    }
}
