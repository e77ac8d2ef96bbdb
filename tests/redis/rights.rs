//! What a user of the servers may do: all that the documentation of `RedisStore` lists is needed, and
//! nothing else is.

use std::time::SystemTime;

use futures_util::future::join_all;
use tokio::time::timeout;
use tower_wx_session::Identity;
use tower_wx_session::store::{
    Feed, FeedEvent, Insert, Loaded, Record, RedisStore, Retire, Rotate, SessionStore, StoreError,
    TagKey, Timestamp, Touch,
};
use tower_wx_session::test_util::conformance;
use tracing::Level;

use super::records::{DEADLINE, HOUR, SECOND, id, logout, put, user};
use super::slot::{Reshard, slot_of};
use super::suite::OnServers;
use crate::support::errors::texts;
use crate::support::log::Log;
use crate::support::redis::{
    Client, RedisCluster, RedisSentinel, RedisServer, Release, client, store,
};

pub const EVERY_STORE: &str = "every store";
const DATABASE: &str = "a database other than 0";
pub const CLUSTER: &str = "a Cluster";
const RESP2: &str = "a server that speaks RESP2 alone, if not `+info`";
const PER_MASTER: &str = "[`announce_per_master`](RedisStoreBuilder::announce_per_master)";
const WARNING: &str = "the warning that the server may evict";
const SENTINELS: &str = "the user at the Sentinels";

/// The rules in these rows of the table in the documentation.
pub fn rules(rows: &[&str]) -> Vec<String> {
    let documentation = include_str!("../../src/backend/redis/mod.rs");
    let row = |name: &&str| {
        let start = format!("/// | {name} | `");
        let mut lines = documentation.lines();
        let row = lines.find_map(|line| line.strip_prefix(&start));
        row.unwrap_or_else(|| panic!("no row for {name}"))
            .replace("\\|", "|")
            .trim_end_matches("` |")
            .to_owned()
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    let rules = rows.iter().flat_map(|row| row.split(' '));
    rules.map(str::to_owned).collect()
}

/// Makes the user `node`, who has these rights and no others.
pub async fn grant(client: &Client, rules: &[String]) {
    try_grant(client, rules).await.unwrap();
}

async fn try_grant(client: &Client, rules: &[String]) -> redis::RedisResult<()> {
    let words = ["ACL", "SETUSER", "node", "reset", "on", ">p@ss/word"];
    let rules = rules.iter().map(String::as_str);
    let words: Vec<_> = words.into_iter().chain(rules).collect();
    client.try_ask(&words).await
}

/// A URL as the user `node`.
pub fn as_node(url: &str) -> String {
    url.replace("127.0.0.1", "node:p%40ss%2Fword@127.0.0.1")
}

async fn pass_the_suite(url: String) {
    // Several servers run it at the same time.
    let tick = SECOND / 2;
    conformance::run(&OnServers { url, tick }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute of four servers: ./test runs it"]
async fn a_user_with_these_rights_passes_the_suite_on_one_server() {
    let run = async |release| {
        let server = RedisServer::start_release(release, &[]).await;
        let rules = rules(&[EVERY_STORE, DATABASE]);
        grant(&server.client().await, &rules).await;
        pass_the_suite(as_node(&server.url()) + "/1").await;
    };
    join_all(Release::ALL.map(run)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute of six servers: ./test runs it"]
async fn a_user_with_these_rights_passes_the_suite_in_a_cluster() {
    let run = async |release| {
        let cluster = RedisCluster::start_release(release).await;
        let rules = rules(&[EVERY_STORE, CLUSTER]);
        for server in &cluster.servers {
            grant(&server.client().await, &rules).await;
        }
        pass_the_suite(as_node(&cluster.url())).await;
    };
    join_all([Release::Redis6_2_5, Release::Valkey9_1_2].map(run)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute of six servers: ./test runs it"]
async fn a_user_with_these_rights_passes_the_suite_behind_sentinels() {
    let run = async |release| {
        let servers = RedisSentinel::start_release(release).await;
        grant(&servers.master.client().await, &rules(&[EVERY_STORE])).await;
        restrict_default_user(&servers.sentinel.client().await).await;
        pass_the_suite(as_node(&servers.url())).await;
    };
    join_all([Release::Redis6_2_5, Release::Valkey9_1_2].map(run)).await;
}

/// Leaves whoever does not log in at a Sentinel what the documentation lists.
async fn restrict_default_user(sentinel: &Client) {
    let words = ["ACL", "SETUSER", "default", "reset", "on", "nopass"];
    let rules = rules(&[SENTINELS]);
    let rules = rules.iter().map(String::as_str);
    let words: Vec<_> = words.into_iter().chain(rules).collect();
    let () = sentinel.ask(&words).await;
}

#[tokio::test]
async fn each_right_is_needed_on_redis_6() {
    each_right_is_needed(Release::Redis6_2_5, false).await;
}

#[tokio::test]
async fn each_right_is_needed_on_redis_7() {
    each_right_is_needed(Release::System, false).await;
}

#[tokio::test]
async fn each_right_is_needed_on_redis_8() {
    each_right_is_needed(Release::Redis8_2_3, true).await;
}

#[tokio::test]
async fn each_right_is_needed_on_valkey_9() {
    each_right_is_needed(Release::Valkey9_1_2, true).await;
}

/// Takes each right away in turn, and looks for an error that names it. Up to 7 Redis does not say
/// which command of a script a user may not run.
async fn each_right_is_needed(release: Release, names_commands_of_scripts: bool) {
    let arguments = ["--maxmemory-policy", "allkeys-lru"];
    let server = RedisServer::start_release(release, &arguments).await;
    let client = server.client().await;
    let url = as_node(&server.url()) + "/1";
    let rules = rules(&[EVERY_STORE, DATABASE, WARNING]);
    grant(&client, &rules).await;
    let (errors, warnings) = tour(&url).await;
    assert_eq!((errors, warnings), (Vec::new(), 1), "with all rights");

    for rule in &rules {
        let () = client.ask(&["FLUSHALL"]).await;
        let others = rules.iter().filter(|other| *other != rule).cloned();
        let granted = try_grant(&client, &others.collect::<Vec<_>>()).await;
        if rule == "resetchannels" {
            // Later releases begin with it.
            assert_eq!(granted.is_err(), release == Release::Redis6_2_5);
            continue;
        }
        granted.unwrap();
        let (errors, warnings) = tour(&url).await;
        if rule == "+info" {
            assert_eq!((errors, warnings), (Vec::new(), 0), "without {rule}");
            continue;
        }
        let expected = advice_without(rule);
        let is_named = errors.iter().any(|error| {
            error.contains(&expected)
                || !names_commands_of_scripts && error.contains("a command that is in the scripts")
        });
        assert!(
            is_named,
            "without {rule}: {expected:?} is not in {errors:#?}"
        );
    }
}

/// A script that is refused in its middle has written a part: never one that damages a session.
#[tokio::test]
async fn no_right_that_is_missing_damages_a_session() {
    let server = RedisServer::start().await;
    let (client, whole) = (server.client().await, server.store());
    let rules = rules(&[EVERY_STORE]);
    for rule in rules.iter().filter(|rule| rule.starts_with('+')) {
        let () = client.ask(&["FLUSHALL"]).await;
        for number in [1, 2] {
            whole.insert(new(number)).await.unwrap();
        }
        let others = rules.iter().filter(|other| *other != rule).cloned();
        grant(&client, &others.collect::<Vec<_>>()).await;
        let store = store(&as_node(&server.url()));
        // All of this may fail.
        let rotate = Rotate::new(id(&user(), 1), id(&user(), 40), HOUR);
        let _ = store.rotate(rotate).await;
        let mut login = new(50);
        login.retire = Some(Retire::new(id(&user(), 2), HOUR));
        let _ = store.insert(login).await;
        for number in [1, 2] {
            let loaded = whole.load(id(&user(), number)).await;
            assert!(
                matches!(loaded, Ok(Loaded::Live(_))),
                "without {rule}: {loaded:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_right_over_resp2_is_needed() {
    let arguments = ["--rename-command", "HELLO", ""];
    let server = RedisServer::start_release(Release::Valkey9_1_2, &arguments).await;
    let client = server.client().await;
    let url = as_node(&server.url());
    for rows in [[EVERY_STORE, RESP2], [EVERY_STORE, WARNING]] {
        grant(&client, &rules(&rows)).await;
        let (errors, _) = tour(&url).await;
        assert_eq!(errors, Vec::<String>::new(), "{rows:?}");
        let () = client.ask(&["FLUSHALL"]).await;
    }
    grant(&client, &rules(&[EVERY_STORE])).await;
    let (errors, _) = tour(&url).await;
    let advice = advice_without("+info");
    assert!(!errors.is_empty());
    assert!(
        errors.iter().all(|error| error.contains(&advice)),
        "{errors:#?}"
    );
}

fn advice_without(rule: &str) -> String {
    match rule.strip_prefix('+') {
        Some(command) => {
            let command_name = command.replace('|', " ").to_uppercase();
            format!("the user may not run {command_name}: the ACL needs {rule}")
        }
        None => format!("the ACL needs {}", rule.replace('&', "resetchannels &")),
    }
}

/// Does all that a store does; returns the errors and how often it was warned of eviction.
async fn tour(url: &str) -> (Vec<String>, usize) {
    let (log, _guard) = Log::from(Level::INFO);
    let store = store(url);
    let mut errors = Errors::default();
    errors.note(store.now().await);
    see_sessions(&store, &mut errors).await;
    errors.note(store.put_session_key(put(&user(), b"sealed")).await);
    errors.note(store.session_keys(user()).await);
    errors.note(store.tag_keys(TagKey::new(1, [1; 16])).await);
    errors.note(store.writable(user().bucket()).await);
    errors.note(store.reach(user().bucket()).await);
    if let Some(mut feed) = errors.note(store.subscribe().await) {
        errors.note(store.revoke(logout(id(&user(), 90))).await);
        expect_change(&mut feed).await;
    }
    errors.note(store.revoke(logout(user())).await);
    (errors.0, log.text().matches("may evict sessions").count())
}

/// Everything about sessions, with so many that scripts look for those that are gone.
async fn see_sessions(store: &RedisStore, errors: &mut Errors) {
    for number in 1..=18 {
        errors.note(store.insert(new(number)).await);
    }
    errors.note(store.load(id(&user(), 1)).await);
    let touch = Touch::new(id(&user(), 1), now(), SECOND);
    errors.note(store.touch(touch).await);
    for new in [40, 41] {
        let rotate = Rotate::new(id(&user(), 2), id(&user(), new), HOUR);
        errors.note(store.rotate(rotate).await);
    }
    errors.note(store.revoke(logout(id(&user(), 3))).await);
    errors.note(store.list(user()).await);
    let mut over_the_cap = new(50);
    over_the_cap.cap = Some(3);
    over_the_cap.retire = Some(Retire::new(id(&user(), 18), HOUR));
    errors.note(store.insert(over_the_cap).await);
}

fn new(number: u8) -> Insert {
    let record = Record::issued(user(), now(), 24 * HOUR, HOUR, None);
    Insert::new(id(&user(), number), record)
}

/// The time without asking the store for it.
fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::from_millis(now.unwrap().as_millis().try_into().unwrap())
}

async fn expect_change(feed: &mut Feed) {
    let changed =
        async { while !matches!(feed.next().await, Some(FeedEvent::Changed(_)) | None) {} };
    let _ = timeout(DEADLINE, changed).await;
}

#[derive(Default)]
struct Errors(Vec<String>);

impl Errors {
    fn note<T>(&mut self, answer: Result<T, StoreError>) -> Option<T> {
        answer.map_err(|error| self.0.push(texts(&error))).ok()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_is_needed_in_a_cluster() {
    join_all([Release::Redis6_2_5, Release::Valkey9_1_2].map(cluster_rights)).await;
}

async fn cluster_rights(release: Release) {
    let cluster = RedisCluster::start_release(release).await;
    let all = rules(&[EVERY_STORE, CLUSTER]);
    let without = async |rule: &str| -> String {
        let rules: Vec<_> = all.iter().filter(|other| *other != rule).cloned().collect();
        for server in &cluster.servers {
            grant(&server.client().await, &rules).await;
        }
        let mut errors = Errors::default();
        let store = store(&as_node(&cluster.url()));
        errors.note(store.load(id(&moving(), 1)).await);
        errors.note(store.subscribe().await);
        errors.0.concat()
    };
    // Servers say ASK of what is not there.
    Reshard::begin(&cluster, slot_of(moving().bucket())).await;
    assert_eq!(without("nothing").await, "");
    for rule in rules(&[CLUSTER]) {
        let told = without(&rule).await;
        // Redis 6 names no subcommand, so the advice names both.
        assert!(
            told.contains("the user may not run ") && told.contains(&rule),
            "{rule}: {told}"
        );
    }
}

fn moving() -> Identity {
    Identity::new("appid", "moving")
}

#[tokio::test]
async fn announcing_per_master_needs_its_right() {
    for release in [Release::Redis6_2_5, Release::Valkey9_1_2] {
        let server = RedisServer::start_release(release, &["--cluster-enabled", "yes"]).await;
        let rows = [
            &[EVERY_STORE, CLUSTER][..],
            &[EVERY_STORE, CLUSTER, PER_MASTER],
        ];
        for (rows, may) in rows.into_iter().zip([false, true]) {
            grant(&server.client().await, &rules(rows)).await;
            let node = client(&as_node(&server.url())).await;
            let script = "return redis.call('CLUSTER', 'MYID')";
            let answer: redis::RedisResult<String> = node.try_ask(&["EVAL", script, "0"]).await;
            assert_eq!(answer.is_ok(), may, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn the_right_at_the_sentinels_is_needed() {
    let servers = RedisSentinel::start_release(Release::Redis6_2_5).await;
    let sentinel = servers.sentinel.client().await;
    let as_node = |password: &str| {
        let builder = RedisStore::builder(&servers.url());
        let builder = builder.sentinel_user("node").sentinel_password(password);
        builder.build().unwrap()
    };
    let told = async |password: &str| {
        let error = as_node(password).now().await.unwrap_err();
        texts(&error)
    };
    grant(&sentinel, &[]).await;
    let denied = told("p@ss/word").await;
    let rules = rules(&[SENTINELS]);
    assert!(denied.contains(&rules[0]), "{denied}");
    grant(&sentinel, &rules).await;
    as_node("p@ss/word").now().await.unwrap();
    let unknown = told("wrong-secret").await;
    let advice = "see sentinel_user and sentinel_password";
    assert!(unknown.contains(advice), "{unknown}");
    assert!(!unknown.contains("wrong-secret"), "{unknown}");
}
