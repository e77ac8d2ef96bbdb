//! A real Redis that reads and does not write, for several idle timeouts: the same as `unwritable`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_wx_session::RejectionKind::{SessionIdleExpired, SessionKickedOut, StoreUnavailable};
use tower_wx_session::sessions::{Issued, OutagePolicy, Revocation};
use tower_wx_session::store::RedisStore;
use tower_wx_session::{Identity, Sessions};

use crate::support::desk::Desk;
use crate::support::nodes::{ROOM, refusal};
use crate::support::redis::{Client, RedisServer, directory, eventually, path};

const SECOND: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(2);

/// Why a server takes no writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    OutOfMemory,
    CannotSave,
    NoReplicas,
}

impl Why {
    async fn make_so(self, client: &Client, saved_in: &Path) {
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

/// A node that passes sessions on the server's word, or for `grace` without it.
fn node(server: &RedisServer, grace: Duration) -> Sessions<RedisStore> {
    Sessions::builder(server.store())
        .cache_capacity(ROOM)
        .idle_timeout(IDLE)
        .fresh_for(SECOND / 4)
        .fresh_for_without_link(SECOND / 4)
        .outage_policy(OutagePolicy::ServeKnown(grace))
        // Tests share a machine.
        .store_deadline(SECOND)
        .build()
        .unwrap()
}

async fn issue(node: &Sessions<RedisStore>, user: &str) -> Issued {
    node.issue(Identity::new("appid", user)).await.unwrap()
}

/// For several idle timeouts.
async fn a_server_that_takes_no_writes(why: Why) {
    let saved_in = directory();
    let server = RedisServer::start_with(&["--dir", path(&saved_in)]).await;
    let client = server.client().await;
    let [here, there] = [(), ()].map(|()| node(&server, SECOND / 2));
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
    let is_pending = revocation == Revocation::Pending;
    // Without memory it frees some, and may be done at once.
    assert!(is_pending || why == Why::OutOfMemory, "{why:?}");
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
    let here = node(&server, 60 * SECOND);
    let desk = Desk::of(&here).await;
    let used = issue(&here, "alice").await;
    let () = client.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
    // What was written a moment ago shows that the server takes writes, for a second.
    sleep(SECOND).await;
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
