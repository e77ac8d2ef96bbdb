//! Launch data is good once on all nodes of a fleet.

use std::time::Duration;

use tower_wx_session::login::Login;
use tower_wx_session::store::{FeedEvent, RedisStore, SessionStore};
use tower_wx_session::{RejectionKind, Sessions};

use super::link::next;
use super::records::SECOND;
use crate::support::nodes::ROOM;
use crate::support::redis::{Client, RedisServer, eventually};
use crate::support::signed::{SIGNED_FOR, Signed, log_in, tokens_of_many_at_once};

type SignedLogin = Login<RedisStore, Signed>;

fn node(store: RedisStore) -> Sessions<RedisStore> {
    let builder = Sessions::builder(store).cache_capacity(ROOM);
    builder.store_deadline(SECOND).build().unwrap()
}

fn login_on(server: &RedisServer) -> SignedLogin {
    Login::new(node(server.store()), Signed::default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_the_same_time_on_two_nodes_one_gets_a_token() {
    let server = RedisServer::start().await;
    let logins = [login_on(&server), login_on(&server)];
    for round in 0..5 {
        let tokens = tokens_of_many_at_once(&logins, &format!("alice {round}")).await;
        assert_eq!(tokens.len(), 1, "round {round}");
        let restarted = log_in(&login_on(&server), &format!("signed alice {round}")).await;
        assert_eq!(restarted, Err(RejectionKind::CodeRejected));
    }
}

/// The keys that end with the launch data, and not with a session.
async fn claims(client: &Client) -> Vec<String> {
    let mut claims = Vec::new();
    for key in client.keys().await {
        let left: i64 = client.ask(&["PTTL", &key]).await;
        let day = SIGNED_FOR.as_millis().try_into().unwrap();
        if (day - 60_000..=day).contains(&left) {
            claims.push(key);
        }
    }
    claims
}

#[tokio::test]
async fn a_claim_is_announced_to_nobody_and_ends_by_itself() {
    let server = RedisServer::start().await;
    let client = server.client().await;
    let sessions = node(server.store());
    let login = Login::new(sessions.clone(), Signed::default());
    let mut feed = server.store().subscribe().await.unwrap();
    let issued = login.log_in("signed alice 1").await.unwrap();
    let claims = claims(&client).await;
    assert_eq!(claims.len(), 2, "a record and its index: {claims:?}");
    for key in &claims {
        assert!(!key.contains("alice"), "{key}");
    }
    sessions.kick_out(issued.session()).await.unwrap();
    let changed = loop {
        match next(&mut feed).await {
            Some(FeedEvent::Changed(ids)) => break ids,
            told => assert!(told.is_some(), "the link is up"),
        }
    };
    assert_eq!(changed, [issued.session().id()]);
}

#[tokio::test]
async fn what_is_good_for_ever_is_good_once_for_ever() {
    let server = RedisServer::start().await;
    let endless = || Signed {
        valid_for: Duration::MAX,
    };
    let here = Login::new(node(server.store()), endless());
    log_in(&here, "signed alice 1").await.unwrap();
    let there = Login::new(node(server.store()), endless());
    let rejected = Err(RejectionKind::CodeRejected);
    assert_eq!(log_in(&there, "signed alice 1").await, rejected);
}

#[tokio::test]
async fn nothing_is_used_up_while_the_server_hangs() {
    let server = RedisServer::start().await;
    let login = login_on(&server);
    log_in(&login, "signed bob 1").await.unwrap();
    server.pause();
    let unavailable = Err(RejectionKind::StoreUnavailable);
    assert_eq!(log_in(&login, "signed alice 1").await, unavailable);
    server.resume();
    eventually("the store to be back", async || {
        log_in(&login, "signed alice 1").await.is_ok()
    })
    .await;
    let elsewhere = log_in(&login_on(&server), "signed alice 1").await;
    assert_eq!(elsewhere, Err(RejectionKind::CodeRejected));
}
