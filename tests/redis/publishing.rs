//! Servers that let no script publish: the store does it, before anything is done.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use tower_wx_session::sessions::Revocation;
use tower_wx_session::store::{
    Feed, FeedEvent, Inserted, RedisStore, Retire, RevokeReason, Rotate, Rotated, SessionStore,
    StoreErrorKind, Target,
};
use tower_wx_session::{Identity, SessionId};

use super::link::{beats, next, told};
use super::records::{HOUR, SECOND, id, keep, kind, logout, new_session, user};
use crate::support::nodes::{alice, log_in, node_in_real_time, refusal};
use crate::support::redis::{RedisServer, Release, store};
use crate::support::script_check::ScriptCheck;

/// A session of the user, rotated: revoking the old one ends the new one, too.
async fn rotated(store: &RedisStore, user: &Identity, number: u8) -> [SessionId; 2] {
    let (old, _) = keep(store, user, number).await;
    let new = id(user, number + 100);
    let rotate = store.rotate(Rotate::new(old, new, HOUR)).await.unwrap();
    assert!(matches!(rotate, Rotated::Done(_)), "{rotate:?}");
    [old, new]
}

#[tokio::test]
async fn where_no_script_may_publish_every_change_is_announced() {
    let server = RedisServer::start().await;
    let host = ScriptCheck::before(server.port).await;
    let store = store(&host.url());
    let mut feed = store.subscribe().await.unwrap();

    let [old, new] = rotated(&store, &user(), 1).await;
    told(&mut feed, old).await;
    assert_eq!(store.revoke(logout(old)).await.unwrap(), [old, new]);
    let event = next_change(&mut feed).await;
    assert_eq!(event, [old, new]);

    // A cap, and a session that a login retires.
    let [replaced, _] = [
        keep(&store, &user(), 2).await.0,
        keep(&store, &user(), 3).await.0,
    ];
    let mut insert = new_session(&store, &user(), 4).await.0;
    insert.cap = Some(2);
    let inserted = store.insert(insert).await.unwrap();
    assert_eq!(inserted, Inserted::Kept(vec![replaced]));
    assert_eq!(next_change(&mut feed).await, [replaced]);
    let mut insert = new_session(&store, &user(), 5).await.0;
    insert.retire = Some(Retire::new(id(&user(), 4), HOUR));
    store.insert(insert).await.unwrap();
    assert_eq!(next_change(&mut feed).await, [id(&user(), 4)]);

    let mut ended = store.revoke(logout(Target::User(user()))).await.unwrap();
    let mut announced = next_change(&mut feed).await;
    ended.sort();
    announced.sort();
    assert_eq!((ended.len(), announced), (3, ended));
    assert_eq!(host.refused_scripts(), 1, "it was tried once");
}

/// The sessions that a link tells of next.
async fn next_change(feed: &mut Feed) -> Vec<SessionId> {
    loop {
        if let FeedEvent::Changed(ids) = next(feed).await.expect("the link is up") {
            return ids;
        }
    }
}

#[tokio::test]
async fn where_a_script_may_publish_the_store_does_not() {
    let server = RedisServer::start().await;
    let store = server.store();
    let mut feed = store.subscribe().await.unwrap();
    let client = server.client().await;
    let [old, new] = rotated(&store, &user(), 1).await;
    told(&mut feed, old).await;
    assert_eq!(store.revoke(logout(old)).await.unwrap(), [old, new]);
    assert_eq!(next_change(&mut feed).await, [old, new]);
    let stats: String = client.ask(&["INFO", "commandstats"]).await;
    let publishes = stats
        .lines()
        .find(|line| line.starts_with("cmdstat_publish:"));
    // A trial, a rotation and a logout; and none but those in scripts.
    assert!(publishes.unwrap().contains("calls=3,"), "{stats}");
}

#[tokio::test]
async fn what_could_not_be_announced_goes_out_before_anything_is_done() {
    let server = RedisServer::start().await;
    let host = ScriptCheck::before(server.port).await;
    let store = store(&host.url());
    let [old, new] = rotated(&store, &user(), 1).await;
    let [other, _] = [
        keep(&store, &user(), 2).await.0,
        keep(&store, &user(), 3).await.0,
    ];
    let mut feed = store.subscribe().await.unwrap();

    host.refuse_to_publish(true);
    let unavailable = StoreErrorKind::Unavailable;
    assert_eq!(kind(store.revoke(logout(old)).await), unavailable);
    assert_eq!(kind(store.revoke(logout(other)).await), unavailable);
    beats(&mut feed).await;
    host.refuse_to_publish(false);

    // It was ended before, and so was what took its place: both are announced all the same.
    assert_eq!(store.revoke(logout(old)).await.unwrap(), []);
    let announced = next_change(&mut feed).await;
    assert_eq!(announced, [old, new, other, old]);
    assert_eq!(store.revoke(logout(other)).await.unwrap(), []);
    assert_eq!(next_change(&mut feed).await, [other]);
}

#[tokio::test]
async fn another_node_announces_again_what_the_first_could_not() {
    let server = RedisServer::start().await;
    let host = ScriptCheck::before(server.port).await;
    let [one, other] = [(); 2].map(|()| store(&host.url()));
    let (session, _) = keep(&one, &user(), 1).await;
    let mut feed = other.subscribe().await.unwrap();
    host.refuse_to_publish(true);
    one.revoke(logout(session)).await.unwrap_err();
    host.refuse_to_publish(false);
    assert_eq!(other.revoke(logout(session)).await.unwrap(), []);
    told(&mut feed, session).await;
}

#[tokio::test]
async fn a_right_to_publish_that_is_lost_and_given_back_loses_no_change() {
    for release in [Release::Redis6_2_5, Release::System] {
        let server = RedisServer::start_release(release, &[]).await;
        let client = server.client().await;
        let () = client
            .ask(&[
                "ACL", "SETUSER", "node", "on", ">secret", "~*", "&*", "+@all",
            ])
            .await;
        let store = store(&format!("redis://node:secret@127.0.0.1:{}", server.port));
        let [old, new] = rotated(&store, &user(), 1).await;
        let mut feed = server.store().subscribe().await.unwrap();

        let () = client.ask(&["ACL", "SETUSER", "node", "-publish"]).await;
        for _ in 0..2 {
            let error = store.revoke(logout(old)).await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        }
        beats(&mut feed).await;
        let () = client.ask(&["ACL", "SETUSER", "node", "+publish"]).await;
        assert_eq!(store.revoke(logout(old)).await.unwrap(), []);
        let announced = next_change(&mut feed).await;
        assert!(
            announced.contains(&old) && announced.contains(&new),
            "{announced:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_may_not_publish_in_scripts_ends_sessions_everywhere_at_once() {
    let server = RedisServer::start().await;
    let host = ScriptCheck::before(server.port).await;
    let [one, other] = [(); 2].map(|()| node_in_real_time(store(&host.url())));
    let mut took = Vec::new();
    for round in 0..20 {
        let token = log_in(&one).await;
        assert_eq!(refusal(&other, &token).await, None);
        let ended = one.revoke_user(&alice()).await.unwrap();
        assert_eq!(ended, Revocation::Done(1));
        let start = Instant::now();
        eventually_at_once(async || refusal(&other, &token).await.is_some()).await;
        // The first one may come before the links.
        if round > 0 {
            took.push(start.elapsed());
        }
    }
    took.sort();
    println!(
        "until another node refuses: {:?}, the slowest {:?}",
        took[9], took[18]
    );
    assert!(took[9] < Duration::from_millis(50), "{took:?}");
}

/// Waits until something is so, and hardly longer.
async fn eventually_at_once(is_so: impl AsyncFn() -> bool) {
    while !timeout(5 * SECOND, is_so()).await.expect("an answer") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_logout_that_could_not_be_announced_is_pending() {
    let server = RedisServer::start().await;
    let host = ScriptCheck::before(server.port).await;
    let node = node_in_real_time(store(&host.url()));
    let token = log_in(&node).await;
    let session = node.check(&token).await.unwrap();
    let mut feed = server.store().subscribe().await.unwrap();
    host.refuse_to_publish(true);
    let logout = node.revoke(session.id(), RevokeReason::LoggedOut).await;
    assert!(matches!(logout, Ok(Revocation::Pending)), "{logout:?}");
    host.refuse_to_publish(false);
    told(&mut feed, session.id()).await;
}
