//! What links tell, how soon, and when they end.

use std::time::Instant;

use mysql_async::prelude::Queryable;
use tokio::time::timeout;
use tower_wx_session::SessionId;
use tower_wx_session::store::{Feed, FeedEvent, SessionStore};

use super::records::{SECOND, holds, id, keep, literal, logout, told, user};
use crate::support::mariadb::{MariaDb, client, store};

/// Reads the feed until a session is told of, or it ends.
async fn hears(feed: &mut Feed, awaited: SessionId) -> bool {
    let hearing = async {
        while let Some(event) = feed.next().await {
            if matches!(event, FeedEvent::Changed(ids) if ids.contains(&awaited)) {
                return true;
            }
        }
        false
    };
    timeout(5 * SECOND, hearing).await.unwrap()
}

async fn ends(feed: &mut Feed) {
    let ending = async { while feed.next().await.is_some() {} };
    timeout(5 * SECOND, ending).await.expect("the link ends");
}

#[tokio::test]
async fn a_change_that_is_written_first_and_committed_last_is_told() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let mut feed = store.subscribe().await.unwrap();
    let (late, soon) = (id(&user(), 1), id(&user(), 2));

    // What a node that stands still between the two statements does.
    let mut slow = client(&url).await;
    slow.query_drop("START TRANSACTION").await.unwrap();
    let insert = format!(
        "INSERT INTO wxs_changes (`at`, sessions) VALUES (UNIX_TIMESTAMP(SYSDATE(3)) * 1000, {})",
        literal(late.as_bytes())
    );
    slow.query_drop(insert).await.unwrap();
    let before = slow.last_insert_id().unwrap();
    for _ in 0..3 {
        assert_eq!(store.revoke(logout(soon)).await.unwrap(), []);
        assert!(hears(&mut feed, soon).await);
    }
    slow.query_drop("COMMIT").await.unwrap();
    assert!(hears(&mut feed, late).await, "though later ones were told");
    let select = "SELECT MIN(id), MAX(id) FROM wxs_changes";
    let (first, last): (u64, u64) = slow.query_first(select).await.unwrap().unwrap();
    assert!(first == before && last > before, "it has the lowest number");
}

#[tokio::test]
async fn a_change_whose_transaction_stood_still_for_a_minute_is_told() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let mut feed = store.subscribe().await.unwrap();
    let late = id(&user(), 1);
    let mut slow = client(&url).await;
    let insert = format!(
        "INSERT INTO wxs_changes (`at`, sessions) VALUES (UNIX_TIMESTAMP(SYSDATE(3)) * 1000 - 60000, {})",
        literal(late.as_bytes())
    );
    slow.query_drop(insert).await.unwrap();
    assert!(hears(&mut feed, late).await);
}

#[tokio::test]
async fn an_end_whose_commit_took_a_minute_is_told() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let session = keep(&store, &user(), 1).await;
    let mut feed = store.subscribe().await.unwrap();
    let update = format!(
        "UPDATE wxs_sessions SET user = NULL, reason = 'logged_out', revoked_at = 1, \
         sweep_at = 60000 - UNIX_TIMESTAMP(SYSDATE(3)) * 1000 WHERE id = {}",
        literal(session.as_bytes())
    );
    client(&url).await.query_drop(update).await.unwrap();
    assert!(hears(&mut feed, session).await);
}

#[tokio::test]
async fn a_change_is_told_within_a_second_and_once() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let (here, there) = (store(&url), store(&url));
    let mut feed = there.subscribe().await.unwrap();
    let session = keep(&here, &user(), 1).await;
    // The first finds its session, and the second has to look for others.
    for target in [session, id(&user(), 2)] {
        let start = Instant::now();
        here.revoke(logout(target)).await.unwrap();
        assert!(hears(&mut feed, target).await);
        assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    }
    // As many looks as it takes to be told twice.
    for _ in 0..3 {
        let next = timeout(SECOND, feed.next()).await.unwrap();
        assert!(matches!(next, Some(FeedEvent::Heartbeat(_))), "{next:?}");
    }
}

#[tokio::test]
async fn a_new_link_tells_no_old_changes_and_heartbeats_follow_the_server_s_clock() {
    let server = MariaDb::shared().await;
    let store = store(&server.database().await);
    let old = keep(&store, &user(), 1).await;
    store.revoke(logout(old)).await.unwrap();
    let mut feed = store.subscribe().await.unwrap();
    let mut last = store.now().await.unwrap();
    for _ in 0..3 {
        match timeout(SECOND, feed.next()).await.unwrap() {
            Some(FeedEvent::Heartbeat(now)) => {
                assert!(now >= last && now.since(last) < SECOND);
                last = now;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_link_ends_with_its_server_and_another_is_opened_when_it_is_back() {
    let server = MariaDb::start().await;
    let store = store(&server.database().await);
    let session = keep(&store, &user(), 1).await;
    let mut feed = store.subscribe().await.unwrap();
    server.kill();
    ends(&mut feed).await;
    holds(&told(store.subscribe().await), "nothing listens there");
    server.restart().await;
    let mut feed = store.subscribe().await.unwrap();
    assert_eq!(store.revoke(logout(session)).await.unwrap(), [session]);
    assert!(hears(&mut feed, session).await);
    server.pause();
    ends(&mut feed).await;
    server.resume();
}

#[tokio::test]
async fn a_link_ends_where_the_server_takes_no_writes_any_more() {
    let server = MariaDb::start().await;
    let url = server.database().await;
    let store = store(&url);
    let mut feed = store.subscribe().await.unwrap();
    let mut client = client(&url).await;
    keep(&store, &user(), 1).await;
    client.query_drop("SET GLOBAL read_only = 1").await.unwrap();
    ends(&mut feed).await;
    let others = "SELECT COUNT(*) FROM information_schema.processlist \
        WHERE db = DATABASE() AND id <> CONNECTION_ID()";
    let deadline = Instant::now() + 2 * SECOND;
    while client.query_first::<u32, _>(others).await.unwrap() != Some(0) {
        assert!(Instant::now() < deadline, "nothing is read there any more");
    }
    holds(&told(store.subscribe().await), "the server is read-only");
}
