//! Several at the same time.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_wx_session::store::{
    Insert, Inserted, Loaded, PostgresStore, PutSessionKey, Record, Revoke, RevokeReason, Rotate,
    Rotated, SessionStore, Touch,
};

use super::records::{HOUR, id_of, is_live, keep, logout, store, user};
use crate::support::eventually::eventually;
use crate::support::postgres::{PostgresServer, client};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_read_a_session_at_once_get_it() {
    let server = PostgresServer::shared().await;
    let store = store(&server.database().await);
    let id = keep(&store, &user("u")).await;
    let mut readers = JoinSet::new();
    for _ in 0..200 {
        let store = store.clone();
        readers.spawn(async move { is_live(&store, id).await });
    }
    assert!(readers.join_all().await.into_iter().all(|is_live| is_live));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_inserts_with_one_name_at_once_one_is_kept() {
    let server = PostgresServer::shared().await;
    let store = store(&server.database().await);
    let (user, now) = (user("u"), store.now().await.unwrap());
    let id = id_of(&user);
    let mut inserts = JoinSet::new();
    for n in 0..64 {
        let mut record = Record::issued(user.clone(), now, HOUR, HOUR, Some("1".into()));
        record.data = Some(n.to_string().into());
        let mut insert = Insert::new(id, record.clone());
        // Some of them alone, some with others.
        insert.cap = (n % 2 == 0).then_some(5);
        let store = store.clone();
        inserts.spawn(async move {
            let inserted = store.insert(insert).await.unwrap();
            (inserted == Inserted::Kept(Vec::new())).then_some(record)
        });
    }
    let kept: Vec<_> = inserts.join_all().await.into_iter().flatten().collect();
    assert_eq!(kept.len(), 1);
    let loaded = store.load(id).await.unwrap();
    assert_eq!(loaded, Loaded::Live(kept[0].clone()));
}

/// Touches, logouts and ends of all of a user's sessions, of the same few sessions, by two processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_session_is_ended_once_and_stays_ended_whatever_comes_at_the_same_time() {
    let server = PostgresServer::shared().await;
    race_in(&server.database().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_setting_of_the_database_matters() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let name = url.rsplit('/').next().unwrap();
    let client = client(&url).await;
    for setting in [
        "default_transaction_isolation = serializable",
        "default_transaction_deferrable = on",
        "standard_conforming_strings = off",
        "timezone = 'America/St_Johns'",
        "datestyle = 'SQL, DMY'",
        "intervalstyle = sql_standard",
        "bytea_output = escape",
        "lock_timeout = '1min'",
        "plan_cache_mode = force_generic_plan",
    ] {
        let set = format!("ALTER DATABASE \"{name}\" SET {setting}");
        client.batch_execute(&set).await.unwrap();
    }
    race_in(&url).await;
}

async fn race_in(url: &str) {
    let nodes = [store(url), store(url)];
    let user = user("u");
    for _ in 0..10 {
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(keep(&nodes[0], &user).await);
        }
        let now = nodes[0].now().await.unwrap();
        let mut racing = JoinSet::new();
        for n in 0..64 {
            let (node, id, user) = (nodes[n % 2].clone(), ids[n / 2 % 4], user.clone());
            racing.spawn(async move {
                match n % 8 {
                    0..5 => {
                        node.touch(Touch::new(id, now, HOUR)).await.unwrap();
                        Vec::new()
                    }
                    5 | 6 => node.revoke(logout(id)).await.unwrap(),
                    _ => {
                        let all = Revoke::new(&user, RevokeReason::KickedOut);
                        node.revoke(all).await.unwrap()
                    }
                }
            });
        }
        let ended: Vec<_> = racing.join_all().await.concat();
        assert_eq!(ended.len(), ids.len(), "each by one call");
        assert_eq!(ended.iter().collect::<HashSet<_>>().len(), ids.len());
        for id in ids {
            let touched = nodes[0].touch(Touch::new(id, now, HOUR)).await.unwrap();
            assert_eq!(touched, None);
            assert!(!is_live(&nodes[1], id).await);
        }
    }
}

/// Whoever ends all sessions of a user, or counts them, finds those that a rotation makes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_saves_no_session_from_the_end_of_all_and_makes_none_too_many() {
    const CAP: usize = 4;
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let nodes = [store(&url), store(&url)];
    for round in 0..20 {
        let user = user(&round.to_string());
        let mut ids = Vec::new();
        for _ in 0..CAP {
            ids.push(keep(&nodes[0], &user).await);
        }
        let mut racing = JoinSet::new();
        for (n, id) in ids.into_iter().enumerate() {
            let (node, new) = (nodes[n % 2].clone(), id_of(&user));
            racing.spawn(async move {
                node.rotate(Rotate::new(id, new, HOUR)).await.unwrap();
            });
        }
        let (node, user_again) = (nodes[round % 2].clone(), user.clone());
        let is_end = round % 4 < 2;
        racing.spawn(async move {
            if is_end {
                node.revoke(logout(&user_again)).await.unwrap();
            } else {
                let now = node.now().await.unwrap();
                let record = Record::issued(user_again.clone(), now, HOUR, HOUR, None);
                let mut insert = Insert::new(id_of(&user_again), record);
                insert.cap = Some(CAP);
                node.insert(insert).await.unwrap();
            }
        });
        racing.join_all().await;
        let left = nodes[0].list(user).await.unwrap().len();
        assert_eq!(left, if is_end { 0 } else { CAP }, "round {round}");
    }
}

/// The end waits for the first session, and has not come to the second one.
#[tokio::test]
async fn a_rotation_waits_for_an_end_of_all_that_is_under_way() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let (store, user) = (store(&url), user("u"));
    let (first, second) = (keep(&store, &user).await, keep(&store, &user).await);
    let other = client(&url).await;
    let lock = format!("BEGIN; SELECT 1 FROM wxs_sessions WHERE id = '{first}' FOR UPDATE");
    other.batch_execute(&lock).await.unwrap();
    let ending = tokio::spawn({
        let (store, all) = (store.clone(), logout(&user));
        async move { store.revoke(all).await }
    });
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN \
        (SELECT pid FROM pg_stat_activity WHERE datname = current_database())";
    eventually("the end to wait", async || {
        other
            .query_one(waiting, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
    })
    .await;
    let node = PostgresStore::builder(&url).build().unwrap();
    let rotating = node.rotate(Rotate::new(second, id_of(&user), HOUR));
    let early = timeout(Duration::from_millis(200), rotating).await;
    assert!(early.is_err(), "{early:?}");
    other.batch_execute("COMMIT").await.unwrap();
    ending.await.unwrap().unwrap();
    assert_eq!(store.list(user).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rotations_of_one_session_at_once_one_is_in_use() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let nodes = [store(&url), store(&url)];
    let user = user("u");
    let old = keep(&nodes[0], &user).await;
    let mut racing = JoinSet::new();
    for n in 0..32 {
        let (node, new) = (nodes[n % 2].clone(), id_of(&user));
        racing.spawn(async move { node.rotate(Rotate::new(old, new, HOUR)).await.unwrap() });
    }
    racing.join_all().await;
    let left = nodes[0].list(user).await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn a_rotation_to_a_name_that_is_taken_changes_nothing() {
    let server = PostgresServer::shared().await;
    let store = store(&server.database().await);
    let user = user("u");
    let (old, taken) = (keep(&store, &user).await, keep(&store, &user).await);
    let before = store.load(old).await.unwrap();
    let rotated = store.rotate(Rotate::new(old, taken, HOUR)).await.unwrap();
    assert_eq!(rotated, Rotated::Taken);
    assert_eq!(store.load(old).await.unwrap(), before);
}

#[tokio::test]
async fn a_damaged_row_is_the_matter_of_its_own_session() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let user = user("u");
    let (damaged, whole) = (keep(&store, &user).await, keep(&store, &user).await);
    let damage = format!("UPDATE wxs_sessions SET openid = '\\xff' WHERE id = '{damaged}'");
    let client = client(&url).await;
    client.batch_execute(&damage).await.unwrap();
    let error = store.load(damaged).await.unwrap_err();
    assert_eq!(error.to_string(), "session record damaged");
    let listed = store.list(user.clone()).await.unwrap();
    assert_eq!(listed.len(), 1);
    // Somebody looks at it, and lets go of it as it is.
    client
        .batch_execute(&format!("BEGIN; {damage}"))
        .await
        .unwrap();
    let revoking = {
        let store = store.clone();
        tokio::spawn(async move { store.revoke(logout(damaged)).await.unwrap() })
    };
    sleep(Duration::from_millis(50)).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(revoking.await.unwrap(), [damaged]);
    assert!(matches!(
        store.load(damaged).await.unwrap(),
        Loaded::Ended { .. }
    ));
    assert_eq!(store.revoke(logout(&user)).await.unwrap(), [whole]);
}

#[tokio::test]
async fn a_row_with_impossible_values_takes_no_other_along() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let mut ids = Vec::new();
    for name in ["u", "forever", "too long", "v"] {
        ids.push(keep(&store, &user(name)).await);
    }
    let (forever, too_long) = (ids[1], ids[2]);
    let client = client(&url).await;
    for (id, value) in [
        (forever, "kept_until = 'infinity'"),
        (too_long, "idle_timeout = '300000 years'"),
    ] {
        let damage = format!("UPDATE wxs_sessions SET {value} WHERE id = '{id}'");
        client.batch_execute(&damage).await.unwrap();
    }
    let now = store.now().await.unwrap();
    // One goes by itself, and then the others together.
    let uses = ids.iter().map(|id| store.touch(Touch::new(*id, now, HOUR)));
    for (id, used) in ids.iter().zip(join_all(uses).await) {
        match *id == too_long {
            true => assert_eq!(used.unwrap_err().to_string(), "session record damaged"),
            false => assert_eq!(used.unwrap(), Some(now.after(2 * HOUR))),
        }
    }
    let ends = ids.iter().map(|id| store.revoke(logout(*id)));
    for (id, ended) in ids.iter().zip(join_all(ends).await) {
        assert_eq!(ended.unwrap(), [*id]);
    }
}

#[tokio::test]
async fn damaged_session_keys_make_way_for_new_ones() {
    let server = PostgresServer::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let user = user("u");
    let put = PutSessionKey::new(user.clone(), vec![1], [1; 16], HOUR, HOUR);
    store.put_session_key(put.clone()).await.unwrap();
    let client = client(&url).await;
    let damage = "UPDATE wxs_session_keys SET keys = '\\x0107'";
    client.batch_execute(damage).await.unwrap();
    store.session_keys(user.clone()).await.unwrap_err();
    store.put_session_key(put).await.unwrap();
    assert_eq!(store.session_keys(user).await.unwrap(), [[1]]);
}
