//! Who is who.

use mysql_async::prelude::Queryable;
use tower_wx_session::store::{
    EndReason, Insert, Inserted, Loaded, PutSessionKey, SessionStore, StoreErrorKind,
};

use super::records::{HOUR, id, keep, literal, logout, named, new_session, user};
use crate::support::mariadb::{MariaDb, client, store};

#[tokio::test]
async fn names_that_differ_by_case_or_a_space_are_different_users() {
    let server = MariaDb::shared().await;
    let store = store(&server.database().await);
    let users = ["oAbc", "oabc", "oabc ", "oabc\0", "oábc"].map(named);
    for (number, user) in (1..).zip(&users) {
        keep(&store, user, number).await;
        let key = user.openid().as_bytes().to_vec();
        let put = PutSessionKey::new(user.clone(), key, [number; 16], HOUR, HOUR);
        store.put_session_key(put).await.unwrap();
    }
    for (number, user) in (1..).zip(&users) {
        let list = store.list(user.clone()).await.unwrap();
        let [(session, record)] = &list[..] else {
            panic!("{list:?}");
        };
        assert_eq!(*session, id(user, number));
        assert_eq!(record.identity.openid(), user.openid());
        let keys = store.session_keys(user.clone()).await.unwrap();
        assert_eq!(keys, [user.openid().as_bytes()]);
    }
    let ended = store.revoke(logout(users[1].clone())).await.unwrap();
    assert_eq!(ended, [id(&users[1], 2)], "and nobody else's");
}

#[tokio::test]
async fn a_damaged_row_is_the_matter_of_its_own_session() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let store = store(&url);
    let (sound, damaged) = (
        keep(&store, &user(), 1).await,
        keep(&store, &user(), 2).await,
    );
    let mut client = client(&url).await;
    let update = format!(
        "UPDATE wxs_sessions SET openid = 'oSomebodyElse' WHERE id = {}",
        literal(damaged.as_bytes())
    );
    client.query_drop(update).await.unwrap();

    let error = store.load(damaged).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let list = store.list(user()).await.unwrap();
    assert_eq!(list.len(), 1, "the list passes over it");
    let mut insert = new_session(&store, &user(), 3).await;
    insert.cap = Some(1);
    let inserted = store.insert(insert).await.unwrap();
    assert_eq!(inserted, Inserted::Kept(vec![sound]), "and so does the cap");
    assert_eq!(store.revoke(logout(damaged)).await.unwrap(), [damaged]);
    let loaded = store.load(damaged).await.unwrap();
    assert_eq!(loaded.end_reason(), Some(EndReason::LoggedOut));
}

#[tokio::test]
async fn what_is_too_long_for_its_column_is_refused_and_not_cut_off() {
    let server = MariaDb::shared().await;
    let url = server.database().await;
    let mut client = client(&url).await;
    // As many installations have it.
    client.query_drop("SET GLOBAL sql_mode = ''").await.unwrap();
    let store = store(&url);
    let insert = new_session(&store, &named(&"o".repeat(70_000)), 1).await;
    let id = insert.id;
    assert!(store.insert(insert).await.is_err());
    assert_eq!(store.load(id).await.unwrap(), Loaded::NeverSeen);
    let again = Insert::new(id, new_session(&store, &user(), 1).await.record);
    assert_eq!(store.insert(again).await.unwrap(), Inserted::Kept(vec![]));
}
