//! A node that outlives its runtime, as on a host that has one for each request.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};
use tower_wx_session::RejectionKind::SessionKickedOut;
use tower_wx_session::sessions::Revocation;
use tower_wx_session::{RejectionKind, Sessions};

use crate::support::nodes::{ROOM, alice, log_in, node_in_real_time, refusal};
use crate::support::redis::{RedisServer, eventually};

/// The longest that a revocation takes to a node whose link is down.
const WITHOUT_LINK: Duration = Duration::from_secs(3);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Nothing goes on once there is an answer.
fn until_the_answer<T>(answer: impl Future<Output = T>) -> T {
    runtime().block_on(answer)
}

#[test]
fn a_node_goes_on_in_a_second_runtime() {
    let outer = runtime();
    let server = outer.block_on(RedisServer::start());
    let sessions = node_in_real_time(server.store());
    let token = until_the_answer(log_in(&sessions));
    for _ in 0..5 {
        assert_eq!(until_the_answer(refusal(&sessions, &token)), None);
    }
    // Its connections have ended with their runtime, and it makes others.
    for _ in 0..3 {
        until_the_answer(async {
            let [known, new] = [token.clone(), log_in(&sessions).await];
            assert_eq!(refusal(&sessions, &known).await, None);
            assert_eq!(refusal(&sessions, &new).await, None);
            sessions.list(&alice()).await.unwrap();
        });
    }
}

#[test]
fn a_second_runtime_has_a_link_of_its_own() {
    let outer = runtime();
    let server = outer.block_on(RedisServer::start());
    let sessions = node_in_real_time(server.store());
    let token = until_the_answer(async {
        let token = log_in(&sessions).await;
        assert_eq!(refusal(&sessions, &token).await, None);
        token
    });
    until_the_answer(async {
        let elsewhere = node_in_real_time(server.store());
        // What starts the link is a request that this node cannot answer by itself.
        log_in(&sessions).await;
        let client = server.client().await;
        eventually("the links of both", async || {
            let channel = "wxs:changed:0";
            let told: (String, u32) = client.ask(&["PUBSUB", "NUMSUB", channel]).await;
            elsewhere.list(&alice()).await.unwrap();
            told.1 == 1
        })
        .await;
        assert_eq!(refusal(&sessions, &token).await, None);
        elsewhere.kick_out(alice()).await.unwrap();
        let began = Instant::now();
        while refusal(&sessions, &token).await.is_none() {
            assert!(began.elapsed() < WITHOUT_LINK);
            sleep(Duration::from_millis(1)).await;
        }
        let refused: Option<RejectionKind> = refusal(&sessions, &token).await;
        assert_eq!(refused, Some(SessionKickedOut));
    });
}

#[test]
fn a_flush_in_a_second_runtime_writes_what_the_first_one_has_left() {
    let outer = runtime();
    let server = outer.block_on(RedisServer::start());
    let builder = Sessions::builder(server.store()).cache_capacity(ROOM);
    let sessions = builder
        .idle_timeout(4 * Duration::from_secs(1))
        .build()
        .unwrap();
    let token = until_the_answer(log_in(&sessions));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(until_the_answer(refusal(&sessions, &token)), None);
    until_the_answer(sessions.flush()).unwrap();
    std::thread::sleep(Duration::from_millis(2500));
    let elsewhere =
        until_the_answer(async { refusal(&node_in_real_time(server.store()), &token).await });
    assert_eq!(
        elsewhere, None,
        "idle since the login by what the store knows"
    );
}

#[test]
fn a_pending_revocation_is_written_in_a_second_runtime() {
    let outer = runtime();
    let server = outer.block_on(RedisServer::start());
    let sessions = node_in_real_time(server.store());
    let token = until_the_answer(log_in(&sessions));
    server.pause();
    until_the_answer(sessions.kick_out(alice())).unwrap();
    server.resume();
    until_the_answer(sessions.flush()).unwrap();
    let elsewhere =
        until_the_answer(async { refusal(&node_in_real_time(server.store()), &token).await });
    assert_eq!(elsewhere, Some(SessionKickedOut));
}

/// A runtime that nobody drives is what a frozen process is.
#[test]
fn a_connection_that_the_server_closed_in_a_freeze_costs_nobody_a_503() {
    let outer = runtime();
    let server = outer.block_on(RedisServer::start());
    let elsewhere = node_in_real_time(server.store());
    let frozen = runtime();
    let sessions = node_in_real_time(server.store());
    for _ in 0..5 {
        frozen.block_on(log_in(&sessions));
        let token = outer.block_on(async {
            let token = log_in(&elsewhere).await;
            let client = server.client().await;
            let _: u32 = client
                .ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
                .await;
            sleep(Duration::from_millis(300)).await;
            token
        });
        assert_eq!(frozen.block_on(refusal(&sessions, &token)), None);
    }
}

#[test]
fn what_is_revoked_in_a_freeze_is_refused_from_the_first_request_on() {
    let outer = runtime();
    let server = outer.block_on(RedisServer::start());
    let elsewhere = node_in_real_time(server.store());
    let frozen = runtime();
    let sessions = node_in_real_time(server.store());
    let token = outer.block_on(log_in(&elsewhere));
    frozen.block_on(async {
        log_in(&sessions).await;
        sleep(WITHOUT_LINK).await;
        // Read over a link that lives: good for 30 s, were it not for the freeze.
        assert_eq!(refusal(&sessions, &token).await, None);
    });
    let revoked = outer.block_on(elsewhere.kick_out(alice()));
    assert!(matches!(revoked.unwrap(), Revocation::Done(_)));
    std::thread::sleep(WITHOUT_LINK);
    let refused = frozen.block_on(refusal(&sessions, &token));
    assert_eq!(refused, Some(SessionKickedOut));
}
