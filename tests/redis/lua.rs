//! Scripts come to the same, to the byte, in the Lua 5.4 of other servers as in Redis's 5.1.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin};
use tokio::time::sleep;
use tower_wx_session::Identity;
use tower_wx_session::store::{RedisStore, Rotate, SessionStore, StoreErrorKind, Target, Touch};
use tower_wx_session::test_util::conformance::{self, Fixture};

use super::commands::{Costs, run_each};
use super::records::{HOUR, SECOND, id, keep, key_with, kind, logout, new_session, user};
use crate::support::languages::python_program;
use crate::support::redis::{Client, RedisServer, client, store};

/// A host that runs scripts in Lua 5.4, and compares them with what a server makes of them by itself.
struct OtherLua {
    server: RedisServer,
    _twin: RedisServer,
    url: String,
    store: RedisStore,
    _host: Child,
    _stdin: ChildStdin,
}

impl OtherLua {
    async fn start() -> Self {
        let (server, twin) = (RedisServer::start().await, RedisServer::start().await);
        let mut host = python_program("lua54.py");
        host.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut host = host.kill_on_drop(true).spawn().unwrap();
        let order = json!({ "server": server.port, "twin": twin.port });
        let mut stdin = host.stdin.take().unwrap();
        stdin
            .write_all(format!("{order}\n").as_bytes())
            .await
            .unwrap();
        let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().expect("a port");
        let url = format!("redis://127.0.0.1:{port}");
        Self {
            server,
            _twin: twin,
            store: store(&url),
            url,
            _host: host,
            _stdin: stdin,
        }
    }

    /// How many runs of scripts came to the same.
    async fn compared(&self) -> usize {
        client(&self.url).await.ask(&["COMPARED"]).await
    }
}

#[tokio::test]
async fn what_lua_5_4_makes_of_the_scripts_is_the_same_to_the_byte() {
    let host = OtherLua::start().await;
    let store = host.store.clone();
    let mut costs = Costs::at(&host.server).await;
    run_each(&store, &Identity::new("appid", "openid"), &mut costs).await;
    let compared = host.compared().await;
    assert!(compared >= 20, "{compared}");
    // More than an index is thinned for, and what is gone from one.
    for number in 0..20 {
        keep(&store, &user(), number).await;
    }
    let through = client(&host.url).await;
    let gone = key_with(&through, &id(&user(), 3).to_string()).await;
    let () = through.ask(&["DEL", &gone]).await;
    for number in 20..40 {
        keep(&store, &user(), number).await;
    }
    damaged_records(&store, &through).await;
    store.revoke(logout(Target::User(user()))).await.unwrap();
    assert!(host.compared().await >= compared + 50);
}

/// Runs scripts on what is no record, or one of a newer release.
async fn damaged_records(store: &RedisStore, through: &Client) {
    let (damaged, record) = keep(store, &user(), 50).await;
    let key = key_with(through, &damaged.to_string()).await;
    for (damage, expected) in [
        (&b"\x01"[..], StoreErrorKind::Corrupt),
        (b"\x02 of a newer release", StoreErrorKind::NewerVersion),
        (&[1; 80], StoreErrorKind::Corrupt),
        (b"\x01\0\x04", StoreErrorKind::Corrupt),
    ] {
        through.set(&key, damage).await;
        let touch = Touch::new(damaged, record.issued_at, SECOND);
        assert_eq!(kind(store.touch(touch).await), expected);
        let rotate = Rotate::new(damaged, id(&user(), 51), HOUR);
        assert_eq!(kind(store.rotate(rotate).await), expected);
        store.list(user()).await.unwrap();
    }
    let mut insert = new_session(store, &user(), 52).await.0;
    insert.cap = Some(30);
    store.insert(insert).await.unwrap();
    assert_eq!(store.revoke(logout(damaged)).await.unwrap(), [damaged]);
}

/// The stories of the suite for stores. Whether they end well is a matter of time here: this host is
/// slow, and does one thing at a time.
struct Stories(RedisStore);

impl Fixture for Stories {
    type Store = RedisStore;

    fn store(&self) -> RedisStore {
        self.0.clone()
    }

    fn tick(&self) -> Duration {
        Duration::from_millis(100)
    }

    async fn advance(&self, span: Duration) {
        sleep(span).await;
    }

    fn time_flies(&self) -> bool {
        true
    }

    fn rounds(&self) -> usize {
        10
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "10 s: part of ./test"]
async fn whatever_stores_are_asked_for_comes_to_the_same_in_lua_5_4() {
    let host = OtherLua::start().await;
    let stories = Stories(host.store.clone());
    let _ = tokio::spawn(async move { conformance::run(&stories).await }).await;
    let compared = host.compared().await;
    println!("runs of scripts that were compared: {compared}");
    assert!(compared > 500, "{compared}");
}
