//! A Redis Cluster of which a part is dead: the users of the others notice nothing.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, Login, LoginRequest};
use tower_wx_session::store::RedisStore;
use tower_wx_session::{Identity, RejectionKind, Sessions};

use crate::support::nodes::node_in_real_time;
use crate::support::redis::{Client, RedisCluster, RedisServer, eventually, store};

pub const SECOND: Duration = Duration::from_secs(1);
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
pub async fn users(client: &Client, each: usize) -> [Vec<Identity>; 3] {
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

    let elsewhere = node_in_real_time(cluster.store());
    let of_dead = log_in(&elsewhere, &users[dead][..200]).await;
    let mut of_living = Vec::new();
    for other in others {
        of_living.extend(log_in(&elsewhere, &users[other][..200]).await);
    }
    let sessions = node_in_real_time(named(&cluster));
    // A first deadline may be spent on finding out.
    let (first, living) = of_living.split_at(100);
    let (known, living) = (&first[..10], [&first[10..], living].concat());
    check_all(&sessions, &of_dead[..20], known).await;

    dies(&cluster.servers[dead]);
    check_all(&sessions, &of_dead, &living[..20]).await;
    sleep(DEADLINE).await;
    let (refused, passed) = check_all(&sessions, &of_dead, &living[20..]).await;

    let new = node_in_real_time(named(&cluster));
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
