//! What the server decides by itself about one session is what a record decides.

use std::time::Duration;

use futures_util::future::join_all;
use tower_wx_session::SessionId;
use tower_wx_session::store::{
    EndReason, Insert, Loaded, PostgresStore, Record, SessionStore, Timestamp, Touch,
};

use super::records::{HOUR, id_of, logout, store, user};
use crate::support::postgres::PostgresServer;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Those that go to the store at once.
const AT_ONCE: usize = 64;

/// So many minutes from now, which may be in the past. Nothing is closer to now than the test takes.
fn at(now: Timestamp, minutes: i64) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add_signed(minutes * 60_000))
}

/// Records in all states.
fn records(now: Timestamp) -> Vec<Record> {
    let mut records = Vec::new();
    let user = user("u");
    for idle_timeout in [10 * MINUTE, 8 * HOUR] {
        for idle_deadline in [-600, -420, -15, -3, 3, 15] {
            for absolute_end in [-500, 3, 1000] {
                for retires_at in [None, Some(-3), Some(3)] {
                    let mut record =
                        Record::issued(user.clone(), at(now, -900), DAY, idle_timeout, None);
                    record.idle_deadline = at(now, idle_deadline);
                    record.absolute_end = at(now, absolute_end);
                    record.retires_at = retires_at.map(|minutes| at(now, minutes));
                    records.push(record);
                }
            }
        }
    }
    records
}

async fn insert(store: &PostgresStore, record: &Record) -> SessionId {
    let id = id_of(&record.identity);
    store.insert(Insert::new(id, record.clone())).await.unwrap();
    id
}

fn is_near(a: Option<Timestamp>, b: Option<Timestamp>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.as_millis().abs_diff(b.as_millis()) < 60_000,
        (a, b) => a == b,
    }
}

/// What the store makes of a use is what the record makes of it.
async fn use_one(store: &PostgresStore, now: Timestamp, record: Record, touch: [i64; 2]) {
    let id = insert(store, &record).await;
    let [since, used_at] = touch.map(|minutes| at(now, minutes));
    let touch = Touch::new(id, used_at, 2 * MINUTE).in_use_since(since);
    let touched = store.touch(touch).await.unwrap();
    let mut expected = record.clone();
    let deadline = expected.touch(&touch, now);
    // The server's time is a little later.
    let is_exact = used_at < now;
    assert!(
        is_near(touched, deadline),
        "{record:?} {touch:?} {touched:?}"
    );
    assert!(!is_exact || touched == deadline, "{record:?} {touch:?}");
    match store.load(id).await.unwrap() {
        Loaded::Live(loaded) if is_exact => assert_eq!(loaded, expected, "{touch:?}"),
        Loaded::Live(loaded) => assert!(is_near(loaded.last_used, expected.last_used)),
        Loaded::Ended { reason, .. } => assert_eq!(Some(reason), expected.ended(now)),
        Loaded::NeverSeen => assert!(now >= expected.remembered_until()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_use_means_what_it_means_to_the_record() {
    let server = PostgresServer::shared().await;
    let store = store(&server.database().await);
    let now = store.now().await.unwrap();
    let touches = [[-30, -30], [-30, -5], [-5, -5], [-4, -1], [60, 60]];
    let all = records(now).into_iter();
    let all: Vec<_> = all
        .flat_map(|record| touches.map(|touch| (record.clone(), touch)))
        .collect();
    for some in all.chunks(AT_ONCE) {
        let some = some.iter().cloned();
        join_all(some.map(|(record, touch)| use_one(&store, now, record, touch))).await;
    }
}

/// What the store makes of an end is what the rules of `SessionStore` make of it.
async fn end_one(store: &PostgresStore, now: Timestamp, record: Record, issued_by: Option<i64>) {
    let id = insert(store, &record).await;
    let mut end = logout(id);
    end.issued_by = issued_by.map(|minutes| at(now, minutes));
    let is_spared = end.issued_by.is_some_and(|by| record.issued_at > by);
    let is_kept = now < record.kept_until();
    let revoked = store.revoke(end).await.unwrap();
    assert_eq!(
        revoked.contains(&id),
        is_kept && !is_spared,
        "{record:?} {issued_by:?}"
    );
    let loaded = store.load(id).await.unwrap();
    match loaded {
        Loaded::Ended {
            reason: EndReason::LoggedOut,
            ..
        } => assert_eq!(revoked, [id]),
        // It says so until both the absolute end and what is kept have passed.
        Loaded::Ended { reason, .. } => {
            assert_eq!((revoked.len(), Some(reason)), (0, record.ended(now)));
        }
        Loaded::Live(_) => assert!(revoked.is_empty()),
        Loaded::NeverSeen => assert!(now >= record.remembered_until()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_means_what_it_means_to_the_record() {
    let server = PostgresServer::shared().await;
    let store = store(&server.database().await);
    let now = store.now().await.unwrap();
    let records = records(now).into_iter();
    let bounds = [None, Some(-901), Some(-900)];
    let all: Vec<_> = records
        .flat_map(|record| bounds.map(|by| (record.clone(), by)))
        .collect();
    for some in all.chunks(AT_ONCE) {
        let some = some.iter().cloned();
        join_all(some.map(|(record, by)| end_one(&store, now, record, by))).await;
    }
}
