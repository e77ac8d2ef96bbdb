//! What each operation costs a server: the commands that it is sent, one round trip each, and those
//! that scripts run inside of it.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tower_wx_session::Identity;
use tower_wx_session::store::{
    Insert, Record, RedisStore, Retire, Rotate, SessionStore, TagKey, Target, Touch,
};

use super::records::{HOUR, SECOND, id, logout, put};
use crate::support::redis::{Client, RedisServer, store};
use crate::support::script_check::ScriptCheck;

/// An operation, what it sends, how many commands its scripts run, and whether it is announced.
type Cost = (&'static str, &'static str, usize, bool);

#[rustfmt::skip]
const COSTS: &[Cost] = &[
    ("login", "EVALSHA", 4, false),
    ("login that retires a session", "EVALSHA", 10, true),
    ("login under a cap", "EVALSHA EVALSHA", 14, false),
    ("login over a cap", "EVALSHA EVALSHA", 17, true),
    ("load", "GET", 0, false),
    ("use", "EVALSHA EVALSHA", 8, false),
    ("use that is covered", "EVALSHA", 2, false),
    ("rotation", "EVALSHA EVALSHA", 12, true),
    ("rotation once more", "EVALSHA EVALSHA", 19, true),
    ("list", "EVALSHA EVALSHA", 14, false),
    ("logout", "EVALSHA", 3, true),
    ("logout of a rotated session", "EVALSHA EVALSHA", 11, true),
    ("logout of a user's others", "EVALSHA EVALSHA", 21, true),
    ("logout of a user", "EVALSHA EVALSHA", 7, true),
    ("put a session_key", "EVALSHA", 10, false),
    ("session_keys", "HMGET", 0, false),
    ("tag keys", "ZRANGE ZRANGE ZRANGE ZRANGE ZRANGE", 0, false),
    ("trial of a write", "SETRANGE", 0, false),
];

#[tokio::test]
async fn each_operation_sends_what_it_has_to() {
    let server = RedisServer::start().await;
    let expected = COSTS.iter().map(|(name, sent, inside, is_announced)| {
        let inside = inside + usize::from(*is_announced);
        (*name, (*sent).to_owned(), inside)
    });
    let costs = costs(&server, &server.store()).await;
    assert_eq!(costs, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn where_no_script_may_publish_each_change_sends_one_command_more() {
    let server = RedisServer::start().await;
    let host = ScriptCheck::before(server.port).await;
    let expected = COSTS.iter().map(|(name, sent, inside, is_announced)| {
        let published = if *is_announced { " PUBLISH" } else { "" };
        (*name, format!("{sent}{published}"), *inside)
    });
    let costs = costs(&server, &store(&host.url())).await;
    assert_eq!(costs, expected.collect::<Vec<_>>());
}

/// What each operation costs a store that has done each of them before.
async fn costs(server: &RedisServer, store: &RedisStore) -> Vec<(&'static str, String, usize)> {
    let mut costs = Costs::at(server).await;
    run_each(store, &Identity::new("appid", "first"), &mut costs).await;
    costs.found.clear();
    run_each(store, &Identity::new("appid", "second"), &mut costs).await;
    costs.found
}

pub async fn run_each(store: &RedisStore, user: &Identity, costs: &mut Costs) {
    let session = |number| id(user, number);
    let login = async |number, change: fn(&mut Insert, &Identity)| {
        let now = store.now().await.unwrap();
        // Each lives longer than the one before, so that the index has to live longer every time.
        let idle_timeout = HOUR + u32::from(number) * 10 * SECOND;
        let record = Record::issued(user.clone(), now, 24 * HOUR, idle_timeout, None);
        let mut insert = Insert::new(session(number), record);
        change(&mut insert, user);
        store.insert(insert).await.unwrap();
    };
    let touch = async |number| {
        let now = store.now().await.unwrap();
        store
            .touch(Touch::new(session(number), now, SECOND))
            .await
            .unwrap();
    };
    let rotate = async |old, new| {
        let rotate = Rotate::new(session(old), session(new), HOUR);
        store.rotate(rotate).await.unwrap();
    };
    let revoke = async |target: Target| {
        store.revoke(logout(target)).await.unwrap();
    };
    costs.of("login", login(1, |_, _| {})).await;
    let retire = |insert: &mut Insert, user: &Identity| {
        insert.retire = Some(Retire::new(id(user, 1), HOUR));
    };
    costs
        .of("login that retires a session", login(2, retire))
        .await;
    let capped = |insert: &mut Insert, _: &Identity| insert.cap = Some(2);
    costs.of("login under a cap", login(3, capped)).await;
    costs.of("login over a cap", login(4, capped)).await;
    costs
        .of("load", async {
            drop(store.load(session(4)).await.unwrap());
        })
        .await;
    costs.of("use", touch(4)).await;
    costs.of("use that is covered", touch(4)).await;
    costs.of("rotation", rotate(4, 5)).await;
    costs.of("rotation once more", rotate(4, 6)).await;
    costs
        .of("list", async {
            drop(store.list(user.clone()).await.unwrap());
        })
        .await;
    costs.of("logout", revoke(session(3).into())).await;
    costs
        .of("logout of a rotated session", revoke(session(4).into()))
        .await;
    login(7, |_, _| {}).await;
    login(8, |_, _| {}).await;
    let keep = session(8);
    let user_of = || user.clone();
    let others = Target::Others {
        user: user_of(),
        keep,
    };
    costs.of("logout of a user's others", revoke(others)).await;
    costs.of("logout of a user", revoke(user_of().into())).await;
    costs
        .of("put a session_key", async {
            store.put_session_key(put(user, b"key")).await.unwrap();
        })
        .await;
    costs
        .of("session_keys", async {
            drop(store.session_keys(user_of()).await.unwrap());
        })
        .await;
    let offer = TagKey::new(1, [1; 16]);
    costs
        .of("tag keys", async {
            drop(store.tag_keys(offer).await.unwrap());
        })
        .await;
    costs
        .of("trial of a write", async {
            store.writable(user.bucket()).await.unwrap();
        })
        .await;
}

pub struct Costs {
    monitor: Monitor,
    client: Client,
    found: Vec<(&'static str, String, usize)>,
}

impl Costs {
    pub async fn at(server: &RedisServer) -> Self {
        Self {
            monitor: Monitor::open(server).await,
            client: server.client().await,
            found: Vec::new(),
        }
    }

    async fn of(&mut self, name: &'static str, operation: impl Future<Output = ()>) {
        self.monitor.until(&self.client, "before").await;
        operation.await;
        let (inside, sent): (Vec<_>, Vec<_>) = self
            .monitor
            .until(&self.client, "after")
            .await
            .into_iter()
            .partition(|command| command.is_inside);
        // The time is asked for by the test, when it makes a record.
        let sent = sent.into_iter().map(|command| command.name);
        let sent: Vec<_> = sent.filter(|name| name != "TIME").collect();
        self.found.push((name, sent.join(" "), inside.len()));
    }
}

/// A command as a server was given it.
struct Command {
    name: String,
    is_inside: bool,
}

struct Monitor(Lines<BufReader<TcpStream>>);

impl Monitor {
    async fn open(server: &RedisServer) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).await;
        let mut stream = stream.unwrap();
        stream.write_all(b"MONITOR\r\n").await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "+OK");
        Self(lines)
    }

    /// All commands until one that marks this moment.
    async fn until(&mut self, client: &Client, mark: &str) -> Vec<Command> {
        let () = client.ask(&["ECHO", mark]).await;
        let mut commands = Vec::new();
        loop {
            let line = self.0.next_line().await.unwrap().unwrap();
            let (from, words) = line.split_once("] ").unwrap();
            let mut words = words.split('"').skip(1).step_by(2);
            let name = words.next().unwrap().to_owned();
            if name == "ECHO" && words.next() == Some(mark) {
                return commands;
            }
            let is_inside = from.ends_with("lua");
            commands.push(Command { name, is_inside });
        }
    }
}
