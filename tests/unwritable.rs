//! A store that is down, or read and not written, for longer than sessions may go unused: who uses
//! a session all the time keeps it, who does not does not, and no code is spent.
#![cfg(all(feature = "axum", feature = "wechat", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use axum::Router;
use http::Version;
use support::http::{Answer, Server, client};
use support::nodes::{alice, log_in, node_with, refusal, settle};
use tokio::time::sleep;
use tower_wx_session::RejectionKind::{
    SessionExpired, SessionIdleExpired, SessionKickedOut, StoreUnavailable,
};
use tower_wx_session::login::Login;
use tower_wx_session::sessions::Revocation;
use tower_wx_session::store::{MemoryStore, SessionStore};
use tower_wx_session::test_util::{Chaos, ChaosStore, FakeWeChat, ManualClock};
use tower_wx_session::wechat::WeChat;
use tower_wx_session::{RejectionKind, Sessions};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Nodes on one store that a test disturbs.
struct Fleet {
    clock: ManualClock,
    chaos: Chaos,
    store: ChaosStore<MemoryStore>,
    idle_timeout: Duration,
}

type Node = Sessions<ChaosStore<MemoryStore>>;

impl Fleet {
    fn new(idle_timeout: Duration) -> Self {
        let (clock, chaos) = (ManualClock::new(), Chaos::seeded(1));
        let store = MemoryStore::with_clock(clock.clone());
        Self {
            store: ChaosStore::new(store, chaos.clone()),
            clock,
            chaos,
            idle_timeout,
        }
    }

    fn node(&self) -> Node {
        node_with(&self.store, &self.clock, |builder| {
            builder.idle_timeout(self.idle_timeout)
        })
    }

    /// Lets time pass for sessions and tasks.
    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
        sleep(span).await;
        settle().await;
    }

    /// Uses a session every `step`, and returns what was answered but that it is live.
    async fn use_for(
        &self,
        node: &Node,
        token: &str,
        span: Duration,
        step: Duration,
    ) -> Vec<RejectionKind> {
        let mut refusals = Vec::new();
        for _ in 0..span.as_millis() / step.as_millis() {
            self.pass(step).await;
            refusals.extend(refusal(node, token).await);
        }
        refusals
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_in_use_outlives_an_outage_longer_than_its_idle_timeout() {
    let fleet = Fleet::new(8 * SECOND);
    let [here, there] = [fleet.node(), fleet.node()];
    let used = log_in(&here).await;
    fleet.chaos.fail(100);
    let refusals = fleet.use_for(&here, &used, 14 * SECOND, SECOND / 2).await;
    assert_eq!(refusals, []);
    fleet.chaos.calm();
    fleet.pass(SECOND).await;
    assert_eq!(refusal(&here, &used).await, None);
    fleet.pass(SECOND).await;
    assert_eq!(refusal(&there, &used).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_was_answered_503_was_not_idle() {
    let fleet = Fleet::new(3 * MINUTE);
    let node = fleet.node();
    let token = log_in(&node).await;
    fleet.chaos.fail(100);
    let refusals = fleet.use_for(&node, &token, 20 * MINUTE, 10 * SECOND).await;
    assert!(refusals.len() > 100, "the grace is over after a minute");
    assert!(refusals.iter().all(|kind| *kind == StoreUnavailable));
    fleet.chaos.calm();
    fleet.pass(SECOND).await;
    assert_eq!(refusal(&node, &token).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_session_in_use_passes_while_the_store_can_only_be_read() {
    let fleet = Fleet::new(6 * MINUTE);
    let [here, there] = [fleet.node(), fleet.node()];
    let [used, unused] = [log_in(&here).await, log_in(&here).await];
    assert_eq!(refusal(&there, &used).await, None);
    fleet.chaos.refuse_writes();
    for _ in 0..66 {
        let refusals = fleet.use_for(&here, &used, 10 * SECOND, 2 * SECOND).await;
        assert_eq!(refusals, []);
        // It does not know of the uses, and cannot be told of them.
        let elsewhere = refusal(&there, &used).await;
        assert!(matches!(elsewhere, None | Some(StoreUnavailable)));
    }
    assert_eq!(refusal(&here, &unused).await, Some(StoreUnavailable));
    assert_eq!(refusal(&there, &unused).await, Some(StoreUnavailable));
    fleet.chaos.calm();
    assert_eq!(refusal(&here, &used).await, None);
    fleet.pass(SECOND).await;
    assert_eq!(refusal(&there, &used).await, None);
    assert_eq!(refusal(&there, &unused).await, Some(StoreUnavailable));
    fleet.pass(6 * SECOND).await;
    assert_ne!(refusal(&here, &unused).await, None);
    assert_ne!(refusal(&there, &unused).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_lay_idle_in_an_outage_is_not_revived() {
    for is_down in [true, false] {
        let fleet = Fleet::new(30 * SECOND);
        let node = fleet.node();
        let token = log_in(&node).await;
        match is_down {
            true => fleet.chaos.fail(100),
            false => fleet.chaos.refuse_writes(),
        }
        fleet.use_for(&node, &token, MINUTE / 2, 5 * SECOND).await;
        fleet.pass(40 * SECOND).await;
        for _ in 0..3 {
            assert_eq!(refusal(&node, &token).await, Some(StoreUnavailable));
            fleet.pass(SECOND).await;
        }
        fleet.chaos.calm();
        fleet.pass(SECOND).await;
        refusal(&node, &token).await;
        fleet.pass(6 * SECOND).await;
        assert_eq!(refusal(&node, &token).await, Some(SessionIdleExpired));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_revoked_in_an_outage_is_not_revived() {
    let fleet = Fleet::new(3 * MINUTE);
    let [here, there] = [fleet.node(), fleet.node()];
    let issued = here.issue(alice()).await.unwrap();
    let token = issued.token().expose();
    assert_eq!(refusal(&there, token).await, None);
    settle().await;
    fleet.chaos.refuse_writes();
    let refusals = fleet.use_for(&here, token, 2 * MINUTE, 5 * SECOND).await;
    assert_eq!(refusals, []);
    let pending = there.kick_out(issued.session()).await.unwrap();
    assert_eq!(pending, Revocation::Pending);
    let refusals = fleet.use_for(&here, token, 2 * MINUTE, 5 * SECOND).await;
    assert_eq!(refusals, [], "nobody can tell this node");
    fleet.chaos.calm();
    fleet.pass(SECOND).await;
    for node in [&here, &there, &fleet.node()] {
        assert_eq!(refusal(node, token).await, Some(SessionKickedOut));
    }
}

#[tokio::test(start_paused = true)]
async fn the_absolute_end_comes_in_an_outage_too() {
    let fleet = Fleet::new(30 * SECOND);
    let node = node_with(&fleet.store, &fleet.clock, |builder| {
        builder.idle_timeout(6 * MINUTE).lifetime(10 * MINUTE)
    });
    let token = log_in(&node).await;
    fleet.chaos.refuse_writes();
    let refusals = fleet
        .use_for(&node, &token, 10 * MINUTE - SECOND, SECOND)
        .await;
    assert_eq!(refusals, []);
    fleet.pass(SECOND).await;
    assert_eq!(refusal(&node, &token).await, Some(SessionExpired));
}

/// A login service over HTTP, with a fake WeChat that counts the codes.
struct Desk {
    fake: FakeWeChat,
    server: Server,
}

impl Desk {
    async fn of<S: SessionStore>(sessions: &Sessions<S>) -> Self {
        let fake = FakeWeChat::start().await.unwrap();
        let wechat = WeChat::new(fake.appid(), fake.secret());
        let wechat = wechat.with_base_url(fake.base_url()).unwrap();
        let login = Login::new(sessions.clone(), wechat);
        let server = Server::start(Router::new().route_service("/login", login)).await;
        Self { fake, server }
    }

    async fn log_in(&self, name: &str) -> Answer {
        let code = self.fake.code(name);
        let body = serde_json::json!({ "code": code }).to_string();
        let post = client(Version::HTTP_11).post(self.server.url("/login"));
        Answer::to(post.body(body)).await
    }

    /// Logins that are refused for now, and spend no code.
    async fn refuses(&self, logins: usize) {
        let spent = self.fake.exchanges();
        for number in 0..logins {
            let answer = self.log_in(&format!("refused{number}")).await;
            assert_eq!(answer.reason(), "store_unavailable");
            assert_eq!(answer.status, 503);
        }
        assert_eq!(self.fake.exchanges(), spent, "a code was spent");
    }
}

#[tokio::test]
async fn no_code_is_spent_while_the_store_cannot_be_written() {
    let chaos = Chaos::seeded(1);
    let store = ChaosStore::new(MemoryStore::new(), chaos.clone());
    let sessions = Sessions::new(store);
    let desk = Desk::of(&sessions).await;
    chaos.refuse_writes();
    desk.refuses(20).await;
    chaos.calm();
    let answer = desk.log_in("alice").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[cfg(feature = "redis")]
mod redis {
    use std::fs;
    use std::path::PathBuf;
    use std::time::Instant;

    use tower_wx_session::Identity;
    use tower_wx_session::sessions::Issued;
    use tower_wx_session::store::RedisStore;

    use super::support::redis::{Client, RedisServer, directory, eventually, path};
    use super::*;

    const IDLE: Duration = Duration::from_secs(2);

    /// Why a server takes no writes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Why {
        OutOfMemory,
        CannotSave,
        NoReplicas,
    }

    impl Why {
        async fn make_so(self, client: &Client, saved_in: &PathBuf) {
            let set = async |name, value| {
                let () = client.ask(&["CONFIG", "SET", name, value]).await;
            };
            match self {
                Self::OutOfMemory => set("maxmemory", "1").await,
                Self::NoReplicas => set("min-replicas-to-write", "1").await,
                Self::CannotSave => {
                    set("save", "3600 1").await;
                    fs::remove_dir_all(saved_in).unwrap();
                    let _: String = client.ask(&["BGSAVE"]).await;
                    eventually("a snapshot to fail", async || {
                        let info: String = client.ask(&["INFO", "persistence"]).await;
                        info.contains("rdb_last_bgsave_status:err")
                    })
                    .await;
                }
            }
        }

        async fn is_over(self, client: &Client) {
            let (name, value) = match self {
                Self::OutOfMemory => ("maxmemory", "0"),
                Self::NoReplicas => ("min-replicas-to-write", "0"),
                Self::CannotSave => ("save", ""),
            };
            let () = client.ask(&["CONFIG", "SET", name, value]).await;
        }
    }

    fn node(server: &RedisServer) -> Sessions<RedisStore> {
        let builder = Sessions::builder(server.store()).idle_timeout(IDLE);
        // Tests share a machine.
        builder.store_deadline(SECOND).build().unwrap()
    }

    async fn issue(node: &Sessions<RedisStore>, user: &str) -> Issued {
        node.issue(Identity::new("appid", user)).await.unwrap()
    }

    /// For several idle timeouts.
    async fn a_server_that_takes_no_writes(why: Why) {
        let saved_in = directory();
        let server = RedisServer::start_with(&["--dir", path(&saved_in)]).await;
        let client = server.client().await;
        let [here, there] = [node(&server), node(&server)];
        let desk = Desk::of(&here).await;
        let mut used = Vec::new();
        for number in 0..20 {
            used.push(issue(&here, &format!("user{number}")).await);
        }
        let [ended, unused] = [issue(&here, "ended").await, issue(&here, "unused").await];
        for issued in used.iter().chain([&ended]) {
            assert_eq!(refusal(&here, issued.token().expose()).await, None);
        }
        why.make_so(&client, &saved_in).await;
        // What was written a moment ago shows that the server takes writes, for a second.
        sleep(SECOND).await;

        let start = Instant::now();
        while start.elapsed() < 4 * IDLE {
            for issued in &used {
                let token = issued.token().expose();
                assert_eq!(refusal(&here, token).await, None, "{why:?}");
                let elsewhere = refusal(&there, token).await;
                assert!(matches!(elsewhere, None | Some(StoreUnavailable)));
            }
            desk.refuses(2).await;
            sleep(IDLE / 5).await;
        }
        let revocation = here.kick_out(ended.session()).await.unwrap();
        let revoked = |kind| matches!(kind, Some(SessionKickedOut | SessionIdleExpired));
        assert!(revoked(refusal(&here, ended.token().expose()).await));

        why.is_over(&client).await;
        // It finds out by itself and at once.
        let answer = desk.log_in("alice").await;
        assert_eq!(answer.status, 200, "{why:?}: {}", answer.body);
        eventually("the uses to be known everywhere", async || {
            let mut are_known = true;
            for issued in &used {
                let token = issued.token().expose();
                assert_eq!(refusal(&here, token).await, None, "{why:?}, afterwards");
                let elsewhere = refusal(&there, token).await;
                assert!(matches!(elsewhere, None | Some(StoreUnavailable)));
                are_known &= elsewhere.is_none();
            }
            are_known
        })
        .await;
        here.shutdown().await.unwrap();
        println!("{why:?}: an end while it lasted was {revocation:?}");
        for token in [ended.token().expose(), unused.token().expose()] {
            // Five seconds after this node has learnt that the server takes writes again.
            eventually("proof that it is over", async || {
                let refused = refusal(&there, token).await;
                assert_ne!(refused, None, "{why:?}: ended or unused");
                refused != Some(StoreUnavailable)
            })
            .await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_without_memory_loses_nobody_and_spends_no_code() {
        a_server_that_takes_no_writes(Why::OutOfMemory).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_cannot_save_loses_nobody_and_spends_no_code() {
        a_server_that_takes_no_writes(Why::CannotSave).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_without_replicas_loses_nobody_and_spends_no_code() {
        a_server_that_takes_no_writes(Why::NoReplicas).await;
    }

    /// It may be behind its master: known sessions pass for their grace, and no longer.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_became_a_replica_loses_nobody_and_spends_no_code() {
        let server = RedisServer::start().await;
        let client = server.client().await;
        let here = node(&server);
        let desk = Desk::of(&here).await;
        let used = issue(&here, "alice").await;
        let () = client.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
        let start = Instant::now();
        while start.elapsed() < 2 * IDLE {
            assert_eq!(refusal(&here, used.token().expose()).await, None);
            desk.refuses(2).await;
            sleep(IDLE / 5).await;
        }
        let () = client.ask(&["REPLICAOF", "NO", "ONE"]).await;
        eventually("the node to find its master again", async || {
            refusal(&here, used.token().expose()).await.is_none()
                && desk.log_in("bob").await.status == 200
        })
        .await;
    }
}
