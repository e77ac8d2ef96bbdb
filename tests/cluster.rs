//! A Redis Cluster of which a part is dead: the users of the others notice nothing.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use support::redis::{Client, RedisCluster, RedisServer, eventually, store};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;
use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, Login, LoginRequest};
use tower_wx_session::store::{
    Feed, FeedEvent, Insert, Record, RedisStore, Revoke, RevokeReason, SessionStore,
};
use tower_wx_session::{Identity, RejectionKind, SessionId, Sessions};

const SECOND: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_millis(250);

/// A Cluster that serves what it has while a master is dead.
async fn partial_cluster() -> RedisCluster {
    let cluster = RedisCluster::start().await;
    for server in &cluster.servers {
        let whole = ["CONFIG", "SET", "cluster-require-full-coverage", "no"];
        let () = server.client().await.ask(&whole).await;
    }
    cluster
}

/// Which of the servers has this key.
async fn owner(client: &Client, key: &str) -> usize {
    let slot: usize = client.ask(&["CLUSTER", "KEYSLOT", key]).await;
    (slot / 5461).min(2)
}

async fn owner_of(client: &Client, user: &Identity) -> usize {
    let key = format!("wxs:{{{:04x}}}:", u16::from_be_bytes(user.bucket()));
    owner(client, &key).await
}

/// Users by the server that has them, so many each.
async fn users(client: &Client, each: usize) -> [Vec<Identity>; 3] {
    let mut users = [const { Vec::new() }; 3];
    for number in 0.. {
        if users.iter().all(|of_one| of_one.len() >= each) {
            break;
        }
        let user = Identity::new("appid", format!("user-{number}"));
        users[owner_of(client, &user).await].push(user);
    }
    users
}

async fn log_in(sessions: &Sessions<RedisStore>, users: &[Identity]) -> Vec<String> {
    let mut tokens = Vec::with_capacity(users.len());
    for user in users {
        let issued = sessions.issue(user.clone()).await.unwrap();
        tokens.push(issued.token().expose().to_owned());
    }
    tokens
}

/// What checks came to.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    passed: usize,
    unavailable: usize,
    slowest: Duration,
}

impl Count {
    fn note(&mut self, kind: Option<RejectionKind>, took: Duration) {
        match kind {
            None => self.passed += 1,
            Some(RejectionKind::StoreUnavailable) => self.unavailable += 1,
            Some(other) => panic!("{other:?}"),
        }
        self.slowest = self.slowest.max(took);
    }
}

/// Checks tokens, two of the dead server for each of the others, 30 at a time.
async fn check_all(
    sessions: &Sessions<RedisStore>,
    dead: &[String],
    living: &[String],
) -> (Count, Count) {
    let (mut of_dead, mut of_living) = (Count::default(), Count::default());
    let mut dead = dead.chunks(20).cycle();
    for living in living.chunks(10) {
        let mut checks = JoinSet::new();
        let tokens = dead.next().unwrap().iter().map(|token| (token, true));
        for (token, is_dead) in tokens.chain(living.iter().map(|token| (token, false))) {
            let (sessions, token) = (sessions.clone(), token.clone());
            checks.spawn(async move {
                let asked = Instant::now();
                let checked = sessions.check(&token).await;
                let kind = checked.err().map(|rejection| rejection.kind());
                (is_dead, kind, asked.elapsed())
            });
        }
        for (is_dead, kind, took) in checks.join_all().await {
            let count = if is_dead {
                &mut of_dead
            } else {
                &mut of_living
            };
            count.note(kind, took);
        }
    }
    (of_dead, of_living)
}

/// Logs in whoever is named by the code.
struct Platform;

impl IdentityProvider for Platform {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some("appid")
    }

    async fn exchange(&self, request: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        Ok(Exchanged::new(Identity::new("appid", request.code())))
    }
}

/// The status of a login.
async fn login(sessions: &Sessions<RedisStore>, user: &Identity) -> u16 {
    let body = format!("{{\"code\":\"{}\"}}", user.openid());
    let request = http::Request::post("/login").body(body).unwrap();
    let login = Login::new(sessions.clone(), Platform);
    login.oneshot(request).await.unwrap().status().as_u16()
}

/// A store that was given the names of all servers, as one that is to start without one of them is.
fn named(cluster: &RedisCluster) -> RedisStore {
    let servers = cluster.servers.iter().skip(1);
    let more: String = servers
        .map(|server| format!(",127.0.0.1:{}", server.port))
        .collect();
    store(&(cluster.url() + &more))
}

async fn one_server_takes_no_other_along(
    key: &str,
    dies: impl Fn(&RedisServer),
    comes_back: impl AsyncFn(&RedisServer),
) {
    let cluster = partial_cluster().await;
    let client = cluster.servers[0].client().await;
    let users = users(&client, 200).await;
    let dead = owner(&client, key).await;
    let others = [(dead + 1) % 3, (dead + 2) % 3];

    let elsewhere = Sessions::new(cluster.store());
    let of_dead = log_in(&elsewhere, &users[dead][..200]).await;
    let mut of_living = Vec::new();
    for other in others {
        of_living.extend(log_in(&elsewhere, &users[other][..200]).await);
    }
    let sessions = Sessions::new(named(&cluster));
    // A first deadline may be spent on finding out.
    let (first, living) = of_living.split_at(100);
    let (known, living) = (&first[..10], [&first[10..], living].concat());
    check_all(&sessions, &of_dead[..20], known).await;

    dies(&cluster.servers[dead]);
    check_all(&sessions, &of_dead, &living[..20]).await;
    sleep(DEADLINE).await;
    let (refused, passed) = check_all(&sessions, &of_dead, &living[20..]).await;

    let new = Sessions::new(named(&cluster));
    let (_, at_new) = check_all(&new, &of_dead, &living).await;
    let mut logins = Vec::new();
    for user in others.iter().flat_map(|other| &users[*other][..5]) {
        // The one node could not write uses of the dead server's users, the other is new.
        logins.push(login(&sessions, user).await);
        logins.push(login(&new, user).await);
    }
    assert!(refused.unavailable > 0, "the server is dead: {refused:?}");
    assert_eq!(passed.unavailable, 0, "users of the others were refused");
    assert!(passed.slowest < DEADLINE, "{:?}", passed.slowest);
    assert_eq!(
        at_new.unavailable, 0,
        "a new node refused users of the others"
    );
    assert_eq!(logins, [200; 20]);

    comes_back(&cluster.servers[dead]).await;
    eventually("the users of the server that is back", async || {
        let checked = sessions.check(&of_dead[0]).await.err();
        checked.is_none_or(|rejection| rejection.kind() != RejectionKind::StoreUnavailable)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_killed_takes_no_other_users_along() {
    // It has the keys of the tags.
    let key = "wxs:tag-key";
    one_server_takes_no_other_along(key, RedisServer::kill, RedisServer::restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_frozen_takes_no_other_users_along() {
    let resumes = async |server: &RedisServer| server.resume();
    // It has the users that a login tries where it knows of no other.
    one_server_takes_no_other_along("{0000}", RedisServer::pause, resumes).await;
}

/// A store that announces on a channel per master, or on the common one.
fn announcing(cluster: &RedisCluster, per_master: bool) -> RedisStore {
    let builder = RedisStore::builder(&cluster.url()).announce_per_master(per_master);
    builder.build().unwrap()
}

/// How often a link tells of each of these sessions within a second, or until it ends.
async fn told(link: &mut Feed, ids: &[SessionId]) -> Vec<usize> {
    let mut told = vec![0; ids.len()];
    let listen = async {
        loop {
            let Some(event) = link.next().await else {
                return;
            };
            if let FeedEvent::Changed(changed) = event {
                for (count, id) in told.iter_mut().zip(ids) {
                    *count += changed.iter().filter(|changed| *changed == id).count();
                }
            }
        }
    };
    let _ = timeout(SECOND, listen).await;
    told
}

/// Keeps a session of each of the users, and ends it.
async fn keep_and_end(store: &RedisStore, users: &[Identity]) -> Vec<SessionId> {
    let mut ids = Vec::new();
    for user in users {
        let id = keep(store, user).await;
        end(store, id).await;
        ids.push(id);
    }
    ids
}

async fn end(store: &RedisStore, id: SessionId) {
    let revoke = Revoke::new(id, RevokeReason::LoggedOut);
    assert_eq!(store.revoke(revoke).await.unwrap(), [id]);
}

async fn keep(store: &RedisStore, user: &Identity) -> SessionId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut bytes = [0; 18];
    bytes[10..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    bytes[..2].copy_from_slice(&user.bucket());
    let id = SessionId::from_bytes(bytes);
    let now = store.now().await.unwrap();
    let record = Record::issued(user.clone(), now, 60 * SECOND, 60 * SECOND, None);
    store.insert(Insert::new(id, record)).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_is_told_of_a_change_once() {
    let cluster = RedisCluster::start().await;
    let users = users(&cluster.servers[0].client().await, 3).await.concat();
    let common = announcing(&cluster, false);
    let own = announcing(&cluster, true);
    let mut links = [
        common.subscribe().await.unwrap(),
        own.subscribe().await.unwrap(),
    ];
    // A master that was found just now is not known to every link.
    for (store, times) in [(&common, 3), (&own, 3)] {
        let ids = keep_and_end(store, &users).await;
        for link in &mut links {
            assert_eq!(told(link, &ids).await, vec![times; ids.len()]);
        }
    }
    for link in &mut links {
        told_for(link, 5 * SECOND).await;
    }
    for (store, times) in [(&common, 3), (&own, 1)] {
        let ids = keep_and_end(store, &users).await;
        for link in &mut links {
            assert_eq!(told(link, &ids).await, vec![times; ids.len()]);
        }
    }
}

/// Takes in what a link tells for so long.
async fn told_for(link: &mut Feed, span: Duration) {
    let _ = timeout(span, async { while link.next().await.is_some() {} }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_a_slot_that_moves_reaches_every_link() {
    let cluster = RedisCluster::start().await;
    let to = &cluster.servers[1];
    let told = told_while_a_slot_moves(&cluster, to).await;
    assert!(told.concat().iter().all(|times| *times > 0), "{told:?}");
    // Once at a master that was known to have it, by all where the call was sent on.
    assert_eq!([told[0], told[1], told[3]], [[1, 1], [3, 3], [1, 1]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_at_a_master_that_has_just_joined_reaches_every_link() {
    let cluster = RedisCluster::start().await;
    let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
    let new = RedisServer::start_with(&arguments).await;
    let first = cluster.servers[0].port.to_string();
    let words = ["CLUSTER", "MEET", "127.0.0.1", &first];
    let () = new.client().await.ask(&words).await;
    for server in cluster.servers.iter().chain([&new]) {
        let client = server.client().await;
        eventually("the new server to be known", async || {
            let info: String = client.ask(&["CLUSTER", "INFO"]).await;
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:4")
        })
        .await;
    }
    let told = told_while_a_slot_moves(&cluster, &new).await;
    assert!(told.concat().iter().all(|times| *times > 0), "{told:?}");
}

/// How often links that are open before each step of a move hear of two changes after it.
async fn told_while_a_slot_moves(cluster: &RedisCluster, to: &RedisServer) -> Vec<[usize; 2]> {
    let client = cluster.servers[0].client().await;
    let user = users(&client, 1).await[0][0].clone();
    let (own, other) = (announcing(cluster, true), announcing(cluster, false));
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(keep(&own, &user).await);
    }
    sleep(5 * SECOND).await;

    let slot_move = Move::new(cluster, to, &user).await;
    let mut heard = Vec::new();
    for (step, ids) in ids.chunks(2).enumerate() {
        let mut link = other.subscribe().await.unwrap();
        // It has looked at who is there; half a second later it looks again.
        assert!(matches!(link.next().await, Some(FeedEvent::Heartbeat(_))));
        slot_move.step(step).await;
        for id in ids {
            end(&own, *id).await;
        }
        let told = told(&mut link, ids).await;
        heard.push([told[0], told[1]]);
    }
    heard
}

/// Moves a user's slot from the first server to another one, step by step.
struct Move {
    from: Client,
    to: Client,
    others: Vec<Client>,
    /// The names of both.
    names: [String; 2],
    slot: String,
    port: String,
}

impl Move {
    async fn new(cluster: &RedisCluster, to: &RedisServer, user: &Identity) -> Self {
        let from = cluster.servers[0].client().await;
        let mut others = Vec::new();
        for other in &cluster.servers[1..] {
            others.push(other.client().await);
        }
        let key = format!("wxs:{{{:04x}}}:", u16::from_be_bytes(user.bucket()));
        let slot: u16 = from.ask(&["CLUSTER", "KEYSLOT", &key]).await;
        let port = to.port.to_string();
        let to = to.client().await;
        let names = [
            from.ask(&["CLUSTER", "MYID"]).await,
            to.ask(&["CLUSTER", "MYID"]).await,
        ];
        Self {
            from,
            to,
            others,
            names,
            slot: slot.to_string(),
            port,
        }
    }

    async fn step(&self, step: usize) {
        let [from, to] = &self.names;
        match step {
            0 => {
                self.set_slot(&self.to, &["IMPORTING", from]).await;
                self.set_slot(&self.from, &["MIGRATING", to]).await;
            }
            1 => self.move_keys().await,
            2 => self.set_slot(&self.to, &["NODE", to]).await,
            _ => {
                for client in self.others.iter().chain([&self.from]) {
                    self.set_slot(client, &["NODE", to]).await;
                }
            }
        }
    }

    async fn set_slot(&self, client: &Client, words: &[&str]) {
        let words = [&["CLUSTER", "SETSLOT", &self.slot], words].concat();
        let () = client.ask(&words).await;
    }

    async fn move_keys(&self) {
        let words = ["CLUSTER", "GETKEYSINSLOT", &self.slot, "100"];
        let keys: Vec<String> = self.from.ask(&words).await;
        for key in keys {
            let migrate = ["MIGRATE", "127.0.0.1", &self.port, &key, "0", "1000"];
            let () = self.from.ask(&migrate).await;
        }
    }
}
