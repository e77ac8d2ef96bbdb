//! Faults of servers, as nodes see them: a short form of what `tests/faults` does under load.

use std::time::Instant;

use tokio::time::sleep;
use tower_wx_session::RejectionKind::{self, SessionUnknown, StoreUnavailable};
use tower_wx_session::store::{Loaded, RedisStore, RevokeReason, SessionStore, StoreErrorKind};
use tower_wx_session::{Identity, Sessions};

use super::records::{DEADLINE, SECOND, keep, kind, new_session, user};
use super::servers::Servers;
use crate::support::nodes::refusal;
use crate::support::redis::{Client, eventually};

type Node = Sessions<RedisStore>;

/// A user's token, and three nodes: one knows it, one has only heard of its user's servers, and one
/// takes no part until it is needed.
struct Fleet {
    known: Node,
    cold: Node,
    user: Identity,
    token: String,
}

impl Fleet {
    async fn of(servers: &Servers) -> Self {
        let (known, cold, user) = (servers.node(), servers.node(), servers.user().await);
        let token = log_in(&known, &user).await;
        log_in(&cold, &user).await;
        Self {
            known,
            cold,
            user,
            token,
        }
    }

    /// While the store cannot tell, known sessions pass, and nothing else is said of the others than
    /// that: within a deadline, or two while it is found out.
    async fn bears_an_outage(&self) {
        let start = Instant::now();
        while start.elapsed() < SECOND {
            assert_eq!(refusal(&self.known, &self.token).await, None);
            let asked = Instant::now();
            let refused = refusal(&self.cold, &self.token).await;
            assert_eq!(refused, Some(StoreUnavailable));
            assert!(asked.elapsed() < 4 * DEADLINE, "{:?}", asked.elapsed());
            sleep(DEADLINE / 5).await;
        }
    }

    /// Waits for the node that does not know the token to say so; until then it says that it cannot tell.
    async fn answers(&self, answer: Option<RejectionKind>) {
        eventually("an answer", async || {
            let refused = refusal(&self.cold, &self.token).await;
            assert!(refused == answer || refused == Some(StoreUnavailable));
            refused == answer
        })
        .await;
    }

    async fn logs_in(&self) -> String {
        log_in(&self.cold, &self.user).await
    }
}

/// Logs in as soon as the store answers in time.
async fn log_in(node: &Node, user: &Identity) -> String {
    eventually("a login", async || node.issue(user.clone()).await.is_ok()).await;
    let issued = node.issue(user.clone()).await.unwrap();
    issued.token().expose().to_owned()
}

pub async fn a_server_that_restarts_with_nothing_gives_503_until_it_is_back(servers: &Servers) {
    let fleet = Fleet::of(servers).await;
    servers.master().kill();
    fleet.bears_an_outage().await;
    servers.master().restart().await;
    // That it has lost the session is proof.
    fleet.answers(Some(SessionUnknown)).await;
    let token = fleet.logs_in().await;
    eventually("the new session everywhere", async || {
        refusal(&fleet.known, &token).await.is_none()
    })
    .await;
}

pub async fn a_server_that_freezes_gives_503_until_it_is_back(servers: &Servers) {
    let fleet = Fleet::of(servers).await;
    servers.master().pause();
    fleet.bears_an_outage().await;
    servers.master().resume();
    fleet.answers(None).await;
    fleet.logs_in().await;
}

/// Nobody has to do anything, and nobody is sent to log in.
pub async fn a_dead_master_is_replaced_by_its_replica(servers: &Servers) {
    let fleet = Fleet::of(servers).await;
    servers.replicated().await;
    servers.master().kill();
    let start = Instant::now();
    fleet.answers(None).await;
    println!("answers again after {:.1?}", start.elapsed());
    assert_eq!(refusal(&fleet.known, &fleet.token).await, None);
    let token = fleet.logs_in().await;
    let replica = servers.replica().unwrap();
    is_heard_of(&fleet, &token, &replica.client().await).await;
}

pub async fn a_revocation_reaches_the_other_node(servers: &Servers) {
    let fleet = Fleet::of(servers).await;
    is_heard_of(&fleet, &fleet.token, &servers.client().await).await;
}

/// Once both nodes have a link to the master, each hears of what the other one ends.
async fn is_heard_of(fleet: &Fleet, token: &str, master: &Client) {
    eventually("both links", async || {
        let words = ["PUBSUB", "NUMSUB", "wxs:changed:0"];
        let channels: Vec<String> = master.ask(&words).await;
        channels.last().is_some_and(|links| links == "2")
    })
    .await;
    eventually("the token to be known", async || {
        refusal(&fleet.known, token).await.is_none()
    })
    .await;
    let ended = fleet
        .cold
        .revoke(fleet.user.clone(), RevokeReason::KickedOut);
    ended.await.unwrap();
    let start = Instant::now();
    while refusal(&fleet.known, token).await.is_none() {
        // Without a link it would pass for 3 s, with one that tells nothing for 30 s.
        assert!(start.elapsed() < DEADLINE, "{:?}", start.elapsed());
        sleep(DEADLINE / 250).await;
    }
}

pub async fn scripts_that_the_servers_have_lost_are_sent_again(servers: &Servers) {
    let (store, user) = (servers.store(), user());
    keep(&store, &user, 1).await;
    for server in servers.masters() {
        let () = server.client().await.ask(&["SCRIPT", "FLUSH"]).await;
    }
    keep(&store, &user, 2).await;
    assert_eq!(store.list(user).await.unwrap().len(), 2);
}

/// What a server refuses is no fact about a session: loads go on where they can.
pub async fn each_error_of_a_server_is_an_outage(servers: &Servers) {
    let (store, client) = (servers.store(), servers.client().await);
    let (id, _) = keep(&store, &user(), 1).await;
    let set = async |name, value| {
        let () = client.ask(&["CONFIG", "SET", name, value]).await;
    };
    let is_live = async || matches!(store.load(id).await, Ok(Loaded::Live(_)));

    set("maxmemory", "1").await;
    assert!(is_live().await, "OOM");
    refuses(&store, "OOM").await;
    set("maxmemory", "0").await;

    let () = client.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
    refuses(&store, "").await;
    eventually("no master", async || {
        store
            .load(id)
            .await
            .is_err_and(|error| error.kind() == StoreErrorKind::Unavailable)
    })
    .await;
    let () = client.ask(&["REPLICAOF", "NO", "ONE"]).await;
    eventually("the master", is_live).await;

    load_slowly(servers).await;
    assert_eq!(kind(store.load(id).await), StoreErrorKind::Unavailable);
    eventually("the data", is_live).await;

    set("requirepass", "secret").await;
    let _: i64 = client.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    assert_eq!(kind(store.load(id).await), StoreErrorKind::Unavailable);
}

/// A login fails, and the error has the server's own word for it.
async fn refuses(store: &RedisStore, word: &str) {
    let insert = new_session(store, &user(), 2).await.0;
    let error = store.insert(insert).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(format!("{error:?}").contains(word), "{error:?}");
}

/// Has the server load what it holds again, which takes about a second.
async fn load_slowly(servers: &Servers) {
    let (client, loading) = (servers.client().await, servers.client().await);
    // It answers after each 2 MB that it has read.
    for words in [
        &["DEBUG", "POPULATE", "300", "other", "30000"][..],
        &["CONFIG", "SET", "rdbcompression", "no"],
        &["CONFIG", "SET", "key-load-delay", "3000"],
    ] {
        let () = client.ask(words).await;
    }
    tokio::spawn(async move { loading.try_ask::<()>(&["DEBUG", "RELOAD"]).await });
    eventually("the server to load", async || {
        let asked = client.try_ask::<Option<String>>(&["GET", "other:0"]).await;
        asked.is_err_and(|error| error.code() == Some("LOADING"))
    })
    .await;
}
