//! `RedisStore` on real servers: alone, behind Sentinel, as a Cluster, and when they fail.
#![cfg(all(feature = "redis", feature = "test-util"))]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::nodes::alice;
use support::redis::{
    Client, RedisCluster, RedisSentinel, RedisServer, client, directory, eventually, free_port,
    path, store,
};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;
use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, Login, LoginRequest};
use tower_wx_session::sessions::{Issued, Revocation};
use tower_wx_session::store::{
    EndReason, Feed, FeedEvent, Insert, Inserted, Loaded, PutSessionKey, Record, RedisStore,
    Retire, Revoke, RevokeReason, Rotate, Rotated, SessionStore, StoreError, StoreErrorKind,
    TagKey, Target, Timestamp, Touch,
};
use tower_wx_session::test_util::conformance::{self, Fixture};
use tower_wx_session::{Identity, SessionId, SessionKey, Sessions};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// What a caller waits for a store by default.
const DEADLINE: Duration = Duration::from_millis(250);
const OPENID: &str = "oGZUI0egBJY1zhBYw2KhdUfwVJJE";

/// A store whose time is that of its servers; every handle has connections of its own.
struct OnServers(String);

impl Fixture for OnServers {
    type Store = RedisStore;

    fn store(&self) -> RedisStore {
        store(&self.0)
    }

    fn tick(&self) -> Duration {
        Duration::from_millis(150)
    }

    async fn advance(&self, span: Duration) {
        sleep(span).await;
    }

    fn time_flies(&self) -> bool {
        true
    }

    fn rounds(&self) -> usize {
        30
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_passes_the_suite() {
    let server = RedisServer::start().await;
    conformance::run(&OnServers(server.url())).await;
    only_the_tag_keys_stay(&server.client().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_passes_the_suite() {
    let cluster = RedisCluster::start().await;
    conformance::run(&OnServers(cluster.url())).await;
    for server in &cluster.servers {
        only_the_tag_keys_stay(&server.client().await).await;
    }
}

async fn only_the_tag_keys_stay(client: &Client) {
    for key in client.keys().await {
        let left: i64 = client.ask(&["PTTL", &key]).await;
        // -2: it has expired meanwhile.
        let expires = left >= 0 || left == -2;
        assert_eq!(expires, !key.contains("tag-key"), "{key}: {left}");
    }
}

fn user() -> Identity {
    Identity::new("wx4f4bc4dec97d474b", OPENID)
}

/// Keeps a session of the user; `number` tells it apart.
async fn keep(store: &RedisStore, user: &Identity, number: u8) -> (SessionId, Record) {
    let (insert, record) = new_session(store, user, number).await;
    let id = insert.id;
    assert_eq!(store.insert(insert).await.unwrap(), Inserted::Kept(vec![]));
    (id, record)
}

async fn new_session(store: &RedisStore, user: &Identity, number: u8) -> (Insert, Record) {
    let now = store.now().await.unwrap();
    let record = Record::issued(user.clone(), now, 24 * HOUR, HOUR, None);
    (Insert::new(id(user, number), record.clone()), record)
}

fn id(user: &Identity, number: u8) -> SessionId {
    let mut bytes = [number; 18];
    bytes[..2].copy_from_slice(&user.bucket());
    SessionId::from_bytes(bytes)
}

fn logout(target: impl Into<Target>) -> Revoke {
    Revoke::new(target, RevokeReason::LoggedOut)
}

fn kind<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> StoreErrorKind {
    answer.unwrap_err().kind()
}

fn put(user: &Identity, key: &[u8]) -> PutSessionKey {
    PutSessionKey::new(user.clone(), key.to_vec(), [1; 16], HOUR, HOUR)
}

/// The one key of which the name contains `part`.
async fn key_with(client: &Client, part: &str) -> String {
    let mut keys = client.keys().await;
    keys.retain(|key| key.contains(part));
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.remove(0)
}

#[tokio::test]
async fn names_of_keys_say_nothing_of_users_and_tokens() {
    let server = RedisServer::start().await;
    let store = server.store();
    let sessions = Sessions::builder(store.clone())
        .seal_key([7; 32])
        .build()
        .unwrap();
    let issued = sessions.issue(user()).await.unwrap();
    store
        .put_session_key(put(&user(), b"sealed"))
        .await
        .unwrap();
    let keys = server.client().await.keys().await;
    // The tag keys and their four copies, and one each of the rest.
    assert_eq!(keys.len(), 8, "{keys:?}");
    for key in keys {
        assert!(key.starts_with("wxs:"), "{key}");
        for secret in [
            user().openid(),
            user().appid(),
            &issued.token().expose()[4..],
        ] {
            assert!(!key.contains(secret), "{key}");
        }
    }
}

/// Everybody is the same user, and has the same session_key.
struct Platform;

impl IdentityProvider for Platform {
    fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> {
        Some("wx4f4bc4dec97d474b")
    }

    async fn exchange(&self, _: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
        Ok(Exchanged::new(user()).with_session_key(SessionKey::new("HyVFkGl5F5OQ")))
    }
}

#[tokio::test]
async fn session_keys_are_kept_sealed() {
    let server = RedisServer::start().await;
    let client = server.client().await;
    let with_seal = |key| Sessions::builder(server.store()).seal_key(key).build();
    let (sessions, other) = (with_seal([7; 32]).unwrap(), with_seal([8; 32]).unwrap());
    let unsealed = Sessions::new(server.store());
    let login = Login::new(sessions.clone(), Platform);
    let request = http::Request::post("/login").body(String::from("{\"code\":\"a\"}"));
    let answer = login.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);

    let keys = sessions.session_key(&user()).await.unwrap();
    assert_eq!(keys.newest().unwrap().expose(), "HyVFkGl5F5OQ");
    assert_eq!(other.session_key(&user()).await.unwrap().newest(), None);
    let error = unsealed.session_key(&user()).await.unwrap_err();
    assert!(error.to_string().contains("seal_key"), "{error}");
    let kept: Vec<Vec<u8>> = client
        .ask(&["HVALS", &key_with(&client, ":k:").await])
        .await;
    let in_the_open = |text: &[u8]| text.windows(12).any(|part| part == b"HyVFkGl5F5OQ");
    assert!(!kept.iter().any(|text| in_the_open(text)));
}

/// What the release before does with a session_key of one letter.
async fn put_by_release_before(client: &Client, key: &str, letter: &str) {
    let script = include_str!("support/put_session_key_before.lua");
    let (print, hour) = (letter.repeat(16), "3600000");
    let call = ["EVAL", script, "1", key, "", "", &print, letter, hour, hour];
    client.ask::<()>(&call).await;
}

/// What the release before finds: of each field, what comes after version, end and fingerprint.
async fn found_by_release_before(client: &Client, key: &str) -> Vec<String> {
    let fields: Vec<Option<Vec<u8>>> = client.ask(&["HMGET", key, "n", "p"]).await;
    let keys = fields.into_iter().flatten();
    keys.map(|field| String::from_utf8(field[23..].to_vec()).unwrap())
        .collect()
}

#[tokio::test]
async fn session_keys_are_read_and_written_beside_the_release_before() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let start = store.now().await.unwrap();
    let put = async |letter: &str, began: u64| {
        let began = Timestamp::from_millis(start.as_millis() - 1000 + began);
        let print = letter.repeat(16).into_bytes().try_into().unwrap();
        let put = PutSessionKey::new(user(), letter.into(), print, HOUR, HOUR);
        store.put_session_key(put.began_at(began)).await.unwrap();
    };
    let found = async || {
        let keys = store.session_keys(user()).await.unwrap();
        keys.concat()
            .into_iter()
            .map(char::from)
            .collect::<String>()
    };
    for (letter, began) in [("a", 100), ("c", 300), ("b", 200)] {
        put(letter, began).await;
    }
    let key = key_with(&client, ":k:").await;
    assert_eq!(found().await, "cba");
    assert_eq!(found_by_release_before(&client, &key).await, ["c", "b"]);

    // It moves its two along, and leaves what it does not know alone.
    put_by_release_before(&client, &key, "d").await;
    assert_eq!(found().await, "dca");
    put("e", 500).await;
    put("B", 200).await;
    assert_eq!(found().await, "edcBa");
    assert_eq!(found_by_release_before(&client, &key).await, ["e", "d"]);

    // The newest one again, and one that this release has in a field of its own.
    put_by_release_before(&client, &key, "e").await;
    assert_eq!(found().await, "edcBa");
    put_by_release_before(&client, &key, "c").await;
    put("f", 900).await;
    assert_eq!(found().await, "fceBa");

    // A user whom only the release before has seen.
    client.ask::<()>(&["DEL", &key]).await;
    put_by_release_before(&client, &key, "x").await;
    put_by_release_before(&client, &key, "y").await;
    assert_eq!(found().await, "yx");
    put("z", 900).await;
    assert_eq!(found().await, "zyx");
    let left: i64 = client.ask(&["PTTL", &key]).await;
    assert!(left > 3_590_000, "{left}");
}

#[tokio::test]
async fn prefixes_and_databases_are_apart() {
    let server = RedisServer::start().await;
    let other_prefix = RedisStore::builder(&server.url()).prefix("shop").build();
    let stores = [
        server.store(),
        other_prefix.unwrap(),
        store(&(server.url() + "/3")),
    ];
    let (id, _) = keep(&stores[0], &user(), 1).await;
    for other in &stores[1..] {
        assert_eq!(other.load(id).await.unwrap(), Loaded::NeverSeen);
        let mut feed = other.subscribe().await.unwrap();
        keep(other, &user(), 1).await;
        stores[0].revoke(logout(id)).await.unwrap();
        assert!(matches!(
            next(&mut feed).await,
            Some(FeedEvent::Heartbeat(_))
        ));
        assert!(matches!(
            next(&mut feed).await,
            Some(FeedEvent::Heartbeat(_))
        ));
        assert!(matches!(other.load(id).await.unwrap(), Loaded::Live(_)));
    }
    let third = client(&(server.url() + "/3")).await;
    assert_eq!(third.keys().await.len(), 2);
    let keys = server.client().await.keys().await;
    let of_shop = keys.iter().filter(|key| key.starts_with("shop:{"));
    // The index of whoever logged out is looked at with the next login.
    assert_eq!((of_shop.count(), keys.len()), (2, 4));
}

#[tokio::test]
async fn an_acl_user_needs_what_the_documentation_says() {
    let server = RedisServer::start().await;
    let rules = "ACL SETUSER node on >p@ss/word ~wxs:* &wxs:* +@read +@write +@scripting \
        +@connection +@pubsub +time";
    let () = server
        .client()
        .await
        .ask(&rules.split_whitespace().collect::<Vec<_>>())
        .await;
    let at = |credentials: &str| format!("redis://{credentials}@127.0.0.1:{}", server.port);
    let node = store(&at("node:p%40ss%2Fword"));
    let mut feed = node.subscribe().await.unwrap();
    let (id, _) = keep(&node, &user(), 1).await;
    assert_eq!(node.revoke(logout(id)).await.unwrap(), [id]);
    told(&mut feed, id).await;
    node.tag_keys(TagKey::new(1, [1; 16])).await.unwrap();

    let error = store(&at("node:wrong-secret")).load(id).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("WRONGPASS") || text.contains("invalid username"),
        "{text}"
    );
    assert!(!text.contains("wrong-secret"), "{text}");
}

#[tokio::test]
async fn a_damaged_record_is_the_matter_of_its_own_session() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let (damaged, _) = keep(&store, &user(), 1).await;
    let key = key_with(&client, ":s:").await;
    let (good, record) = keep(&store, &user(), 2).await;
    let touch = Touch::new(damaged, record.issued_at, SECOND);

    for damage in [&b""[..], b"\x01", b"rubbish", &[1; 80], &[0; 200]] {
        client.set(&key, damage).await;
        assert_eq!(kind(store.load(damaged).await), StoreErrorKind::Corrupt);
        let rotate = Rotate::new(damaged, id(&user(), 9), SECOND);
        assert_eq!(kind(store.touch(touch).await), StoreErrorKind::Corrupt);
        assert_eq!(kind(store.rotate(rotate).await), StoreErrorKind::Corrupt);
        let list = store.list(user()).await.unwrap();
        assert_eq!(list, [(good, record.clone())]);
    }
    let mut insert = new_session(&store, &user(), 3).await.0;
    (insert.cap, insert.retire) = (Some(2), Some(Retire::new(damaged, HOUR)));
    assert_eq!(store.insert(insert).await.unwrap(), Inserted::Kept(vec![]));
    let again = new_session(&store, &user(), 1).await.0;
    assert_eq!(store.insert(again).await.unwrap(), Inserted::Taken);

    client.set(&key, b"rubbish").await;
    assert_eq!(store.revoke(logout(damaged)).await.unwrap(), [damaged]);
    let loaded = store.load(damaged).await.unwrap();
    assert_eq!(loaded.end_reason(), Some(EndReason::LoggedOut));
    let left: i64 = client.ask(&["PTTL", &key]).await;
    assert!(left > 0, "{left}");

    let () = client.ask(&["DEL", &key]).await;
    let () = client.ask(&["RPUSH", &key, "not", "a", "record"]).await;
    assert_eq!(kind(store.load(damaged).await), StoreErrorKind::Corrupt);
    assert_eq!(store.list(user()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_record_of_a_newer_release_is_kept_out_and_can_be_revoked() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let (newer, record) = keep(&store, &user(), 1).await;
    let key = key_with(&client, ":s:").await;
    let newer_record = [&[2][..], &[7; 100]].concat();
    for target in [Target::from(newer), Target::from(user())] {
        client.set(&key, &newer_record).await;
        let touch = Touch::new(newer, record.issued_at, SECOND);
        assert_eq!(kind(store.load(newer).await), StoreErrorKind::NewerVersion);
        assert_eq!(kind(store.touch(touch).await), StoreErrorKind::NewerVersion);
        assert_eq!(store.list(user()).await.unwrap(), []);
        assert_eq!(store.revoke(logout(target)).await.unwrap(), [newer]);
        let loaded = store.load(newer).await.unwrap();
        assert_eq!(loaded.end_reason(), Some(EndReason::LoggedOut));
    }
}

#[tokio::test]
async fn what_is_gone_leaves_the_index() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    for number in 0..100 {
        keep(&store, &user(), number).await;
    }
    for number in 0..100 {
        let key = key_with(&client, &id(&user(), number).to_string()).await;
        let () = client.ask(&["DEL", &key]).await;
    }
    for number in 100..150 {
        keep(&store, &user(), number).await;
    }
    let index = key_with(&client, ":u:").await;
    let entries: usize = client.ask(&["ZCARD", &index]).await;
    assert!(entries <= 60, "{entries}");
    store.list(user()).await.unwrap();
    let entries: usize = client.ask(&["ZCARD", &index]).await;
    assert_eq!(entries, 50);
}

#[tokio::test]
async fn a_use_puts_a_session_back_into_the_index() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let sessions = Sessions::new(store.clone());
    let [one, two, three] = [(); 3].map(|()| sessions.issue(user()));
    let [one, two, three] = [one.await.unwrap(), two.await.unwrap(), three.await.unwrap()];
    let index = key_with(&client, ":u:").await;
    let () = client.ask(&["DEL", &index]).await;
    assert_eq!(store.list(user()).await.unwrap(), []);

    // The one that asks is ended in any case; the one that is used is found again.
    let touch = Touch::new(two.session().id(), store.now().await.unwrap(), SECOND);
    assert!(store.touch(touch).await.unwrap().is_some());
    assert_eq!(store.list(user()).await.unwrap().len(), 1);
    let left: i64 = client.ask(&["PTTL", &index]).await;
    assert!(left > 0, "{left}");
    let ended = sessions.revoke_all(one.session()).await.unwrap();
    assert_eq!(ended, Revocation::Done(2));
    for (issued, expected) in [(one, true), (two, true), (three, false)] {
        let loaded = store.load(issued.session().id()).await.unwrap();
        assert_eq!(loaded.end_reason().is_some(), expected, "{loaded:?}");
    }
}

#[tokio::test]
async fn an_end_of_what_the_server_has_lost_reaches_every_node() {
    let server = RedisServer::start().await;
    let client = server.client().await;
    let [here, there] = [server.store(), server.store()].map(Sessions::new);
    let [one, two] = [
        here.issue(user()).await.unwrap(),
        here.issue(user()).await.unwrap(),
    ];
    let check = async |issued: &Issued| there.check(issued.token().expose()).await.is_ok();
    assert!(check(&one).await && check(&two).await);
    linked(&client, 2).await;
    // The node takes note of its link a moment later, and confirms what it held before.
    sleep(DEADLINE).await;
    assert!(check(&one).await && check(&two).await);
    for issued in [&one, &two] {
        let key = key_with(&client, &issued.session().id().to_string()).await;
        let () = client.ask(&["DEL", &key]).await;
    }
    assert!(check(&one).await && check(&two).await, "held still");
    let keys = client.keys().await.len();
    here.revoke(one.session(), RevokeReason::LoggedOut)
        .await
        .unwrap();
    eventually_within(DEADLINE, async || !check(&one).await).await;
    here.revoke_user(&user()).await.unwrap();
    eventually_within(DEADLINE, async || !check(&two).await).await;

    // It costs a message each, and leaves nothing behind.
    for number in 0..100 {
        assert_eq!(
            here.revoke(id(&user(), number), RevokeReason::LoggedOut)
                .await
                .unwrap(),
            Revocation::Done(0)
        );
    }
    assert!(client.keys().await.len() < keys, "the index is gone too");
}

async fn eventually_within(span: Duration, is_so: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < span, "{:?}", start.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until so many nodes are told of changes.
async fn linked(client: &Client, nodes: usize) {
    eventually("the links", async || {
        let channels: Vec<String> = client.ask(&["PUBSUB", "NUMSUB", "wxs:changed:0"]).await;
        channels.last() == Some(&nodes.to_string())
    })
    .await;
}

#[tokio::test]
async fn a_logout_leaves_the_index_when_somebody_looks() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    for number in 0..100 {
        let (id, _) = keep(&store, &user(), number).await;
        assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]);
    }
    let index = key_with(&client, ":u:").await;
    let entries: usize = client.ask(&["ZCARD", &index]).await;
    assert!(entries <= 20, "{entries}");
}

#[tokio::test]
async fn the_index_lives_as_long_as_the_sessions_in_it() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let (id, record) = keep(&store, &user(), 1).await;
    let index = key_with(&client, ":u:").await;
    let left = async || -> i64 { client.ask(&["PTTL", &index]).await };
    let hours = |millis: i64| (millis + 1_800_000) / 3_600_000;
    assert_eq!(hours(left().await), 7);
    let touch = Touch::new(id, record.issued_at, 3 * HOUR);
    assert!(store.touch(touch).await.unwrap().is_some());
    assert_eq!(hours(left().await), 10);
}

#[tokio::test]
async fn a_script_that_the_server_has_lost_is_sent_again() {
    let server = RedisServer::start().await;
    let store = server.store();
    keep(&store, &user(), 1).await;
    let () = server.client().await.ask(&["SCRIPT", "FLUSH"]).await;
    keep(&store, &user(), 2).await;
    assert_eq!(store.list(user()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_load_is_one_command() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let (id, _) = keep(&store, &user(), 1).await;
    let calls = async || -> u64 {
        let stats: String = client.ask(&["INFO", "stats"]).await;
        let count = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_commands_processed:"));
        count.unwrap().parse().unwrap()
    };
    // The memory policy is asked for beside the first operation.
    sleep(Duration::from_millis(100)).await;
    let before = calls().await;
    for _ in 0..10 {
        store.load(id).await.unwrap();
    }
    assert_eq!(calls().await - before, 11, "ten, and the question itself");
}

#[tokio::test]
async fn dropped_operations_harm_no_other() {
    let server = RedisServer::start().await;
    let store = server.store();
    let (id, record) = keep(&store, &user(), 1).await;
    for pause in 0..200 {
        let span = Duration::from_micros(pause);
        let _ = timeout(span, store.list(user())).await;
        let _ = timeout(span, store.now()).await;
    }
    assert_eq!(store.load(id).await.unwrap(), Loaded::Live(record));
}

async fn next(feed: &mut Feed) -> Option<FeedEvent> {
    timeout(5 * SECOND, feed.next()).await.expect("an event")
}

/// Waits until the link has told of a session.
async fn told(feed: &mut Feed, id: SessionId) {
    loop {
        match next(feed).await.expect("the link is up") {
            FeedEvent::Changed(ids) if ids.contains(&id) => return,
            _ => {}
        }
    }
}

/// Waits for the end of a link, and returns how long that took.
async fn ended(feed: &mut Feed) -> Duration {
    let start = Instant::now();
    while next(feed).await.is_some() {}
    start.elapsed()
}

async fn beats(feed: &mut Feed) -> Timestamp {
    loop {
        if let FeedEvent::Heartbeat(now) = next(feed).await.expect("the link is up") {
            return now;
        }
    }
}

#[tokio::test]
async fn a_link_beats_with_the_server_s_time() {
    let server = RedisServer::start().await;
    let store = server.store();
    let mut feed = store.subscribe().await.unwrap();
    let start = Instant::now();
    let first = beats(&mut feed).await;
    assert!(start.elapsed() < DEADLINE, "the first beat comes at once");
    let second = beats(&mut feed).await;
    let between = second.since(first);
    assert!((400..1500).contains(&between.as_millis()), "{between:?}");
    assert!(store.now().await.unwrap().since(second) < SECOND);
}

#[tokio::test]
async fn a_message_that_is_not_understood_ends_the_link() {
    let server = RedisServer::start().await;
    let mut feed = server.store().subscribe().await.unwrap();
    beats(&mut feed).await;
    let client = server.client().await;
    let () = client
        .ask(&["PUBLISH", "wxs:changed:0", "\u{2}of a newer release"])
        .await;
    assert!(ended(&mut feed).await < DEADLINE);
}

#[tokio::test]
async fn a_node_that_falls_behind_loses_its_link() {
    let server = RedisServer::start().await;
    let mut feed = server.store().subscribe().await.unwrap();
    let client = server.client().await;
    let message = format!("\u{1}{}", id(&user(), 1));
    let publish = "for i = 1, 1100 do redis.call('PUBLISH', KEYS[1], ARGV[1]) end";
    let () = client
        .ask(&["EVAL", publish, "1", "wxs:changed:0", &message])
        .await;
    sleep(DEADLINE).await;
    assert!(ended(&mut feed).await < DEADLINE);
}

#[tokio::test]
async fn a_link_ends_when_the_server_stops_answering() {
    let server = RedisServer::start().await;
    let mut feed = server.store().subscribe().await.unwrap();
    beats(&mut feed).await;
    server.pause();
    let took = ended(&mut feed).await;
    assert!(took < 2 * SECOND, "{took:?}");
    server.resume();
}

#[tokio::test]
async fn a_link_ends_when_its_connection_does() {
    let server = RedisServer::start().await;
    let mut feed = server.store().subscribe().await.unwrap();
    beats(&mut feed).await;
    let () = server
        .client()
        .await
        .ask(&["CLIENT", "KILL", "TYPE", "pubsub"])
        .await;
    assert!(ended(&mut feed).await < DEADLINE);
}

#[tokio::test]
async fn a_link_ends_when_its_server_is_no_master_any_more() {
    let server = RedisServer::start().await;
    let store = server.store();
    let mut feed = store.subscribe().await.unwrap();
    let (id, _) = keep(&store, &user(), 1).await;
    let client = server.client().await;
    let () = client.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
    assert!(ended(&mut feed).await < SECOND);
    assert_eq!(kind(store.load(id).await), StoreErrorKind::Unavailable);
    let () = client.ask(&["REPLICAOF", "NO", "ONE"]).await;
    eventually("the master", async || store.load(id).await.is_ok()).await;
}

#[tokio::test]
async fn a_server_that_is_down_fails_operations_until_it_is_back() {
    let server = RedisServer::start().await;
    let store = server.store();
    let (id, _) = keep(&store, &user(), 1).await;
    for _ in 0..2 {
        server.kill();
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(kind(store.load(id).await), StoreErrorKind::Unavailable);
        }
        assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
        server.restart().await;
        works_within(&store, SECOND).await;
    }
}

/// The store works again within this time, as a caller with a deadline sees it.
async fn works_within(store: &RedisStore, span: Duration) {
    let start = Instant::now();
    loop {
        let loaded = timeout(DEADLINE, store.load(id(&user(), 1))).await;
        if loaded.is_ok_and(|loaded| loaded.is_ok()) {
            return;
        }
        assert!(start.elapsed() < span, "{:?}", start.elapsed());
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_server_that_hangs_comes_back_with_or_without_its_connection() {
    let server = RedisServer::start().await;
    let store = server.store();
    for hangs in [SECOND / 2, 3 * SECOND] {
        works_within(&store, SECOND).await;
        server.pause();
        let start = Instant::now();
        while start.elapsed() < hangs {
            let loaded = timeout(DEADLINE, store.load(id(&user(), 1))).await;
            assert!(!loaded.is_ok_and(|loaded| loaded.is_ok()));
            sleep(Duration::from_millis(5)).await;
        }
        server.resume();
        works_within(&store, SECOND).await;
    }
}

#[tokio::test]
async fn a_store_can_be_made_before_its_server() {
    let port = free_port();
    let store = store(&format!("redis://:secret@127.0.0.1:{port}"));
    assert!(!format!("{store:?}").contains("secret"));
    let error = store.now().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[test]
fn connections_end_with_their_runtime_and_the_store_does_not() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let server = first.block_on(RedisServer::start());
    let store = server.store();
    let (id, record) = first.block_on(keep(&store, &user(), 1));
    drop(first);
    let loaded = runtime().block_on(store.load(id)).unwrap();
    assert_eq!(loaded, Loaded::Live(record));
}

#[tokio::test]
async fn what_a_server_refuses_is_no_fact_about_a_session() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let (id, _) = keep(&store, &user(), 1).await;
    let () = client.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let insert = new_session(&store, &user(), 2).await.0;
    let error = store.insert(insert).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(format!("{error:?}").contains("OOM"), "{error:?}");
    assert!(matches!(store.load(id).await.unwrap(), Loaded::Live(_)));

    let () = client.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let () = client
        .ask(&["CONFIG", "SET", "min-replicas-to-write", "1"])
        .await;
    let error = store.revoke(logout(id)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(format!("{error:?}").contains("NOREPLICAS"), "{error:?}");
    let () = client
        .ask(&["CONFIG", "SET", "min-replicas-to-write", "0"])
        .await;
    assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]);
}

#[tokio::test]
async fn a_failover_is_followed() {
    let servers = RedisSentinel::start().await;
    let store = servers.store();
    let mut feed = store.subscribe().await.unwrap();
    let (id, _) = keep(&store, &user(), 1).await;
    let replica = servers.replica.client().await;
    eventually("the replica to have it", async || {
        replica.ask::<usize>(&["DBSIZE"]).await > 0
    })
    .await;
    servers.master.kill();
    assert!(ended(&mut feed).await < 2 * SECOND);
    eventually("the new master", async || {
        let load = timeout(DEADLINE, store.load(id)).await;
        load.is_ok_and(|loaded| matches!(loaded, Ok(Loaded::Live(_))))
    })
    .await;
    let mut feed = store.subscribe().await.unwrap();
    assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]);
    told(&mut feed, id).await;
}

#[tokio::test]
async fn a_cluster_without_one_master_serves_the_others_users() {
    let cluster = RedisCluster::start().await;
    let store = cluster.store();
    for server in &cluster.servers {
        let client = server.client().await;
        let whole = ["CONFIG", "SET", "cluster-require-full-coverage", "no"];
        let () = client.ask(&whole).await;
    }
    let users: Vec<_> = (0..30u8)
        .map(|number| Identity::new("appid", number.to_string()))
        .collect();
    for user in &users {
        keep(&store, user, 1).await;
    }
    let mut feed = store.subscribe().await.unwrap();
    beats(&mut feed).await;
    cluster.servers[2].pause();
    assert!(ended(&mut feed).await < 2 * SECOND);
    let (mut live, mut silent) = (0, 0);
    for user in &users {
        match timeout(DEADLINE, store.load(id(user, 1))).await {
            Ok(Ok(Loaded::Live(_))) => live += 1,
            Ok(Ok(other)) => panic!("{other:?}"),
            Ok(Err(_)) | Err(_) => silent += 1,
        }
    }
    assert!(live > 0 && silent > 0 && live + silent == 30, "{live}");
    cluster.servers[2].resume();
    eventually("all users", async || {
        for user in &users {
            if !timeout(DEADLINE, store.load(id(user, 1)))
                .await
                .is_ok_and(|l| l.is_ok())
            {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_moves_is_followed() {
    let cluster = RedisCluster::start().await;
    let (store, user) = (cluster.store(), user());
    let (old, _) = keep(&store, &user, 1).await;
    let mut clients = Vec::new();
    for server in &cluster.servers {
        clients.push(server.client().await);
    }
    let key = format!("wxs:{{{:04x}}}:", u16::from_be_bytes(user.bucket()));
    let slot: u16 = clients[0].ask(&["CLUSTER", "KEYSLOT", &key]).await;
    let from = usize::from(slot / 5461).min(2);
    let to = (from + 1) % 3;
    let number = slot.to_string();
    let names: [String; 2] = [
        clients[from].ask(&["CLUSTER", "MYID"]).await,
        clients[to].ask(&["CLUSTER", "MYID"]).await,
    ];
    let () = clients[to]
        .ask(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &names[0]])
        .await;
    let () = clients[from]
        .ask(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &names[1]])
        .await;
    // Not there any more, and perhaps at the new place: the server says ASK.
    let unknown = id(&user, 9);
    assert_eq!(store.load(unknown).await.unwrap(), Loaded::NeverSeen);
    assert!(
        store
            .touch(Touch::new(unknown, Timestamp::default(), SECOND))
            .await
            .unwrap()
            .is_none()
    );

    let port = cluster.servers[to].port.to_string();
    let keys: Vec<String> = clients[from].keys().await;
    for key in &keys {
        let migrate = ["MIGRATE", "127.0.0.1", &port, key, "0", "1000"];
        let () = clients[from].ask(&migrate).await;
    }
    assert!(matches!(store.load(old).await.unwrap(), Loaded::Live(_)));
    for client in [&clients[to], &clients[from], &clients[3 - from - to]] {
        let () = client
            .ask(&["CLUSTER", "SETSLOT", &number, "NODE", &names[1]])
            .await;
    }
    assert!(matches!(store.load(old).await.unwrap(), Loaded::Live(_)));
    let rotated = store.rotate(Rotate::new(old, id(&user, 2), HOUR)).await;
    assert!(matches!(rotated.unwrap(), Rotated::Done(_)));
    assert_eq!(store.revoke(logout(old)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn rediss_encrypts_and_checks_the_server() {
    let directory = directory();
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap();
    let certificate = certificate.self_signed(&key).unwrap().pem();
    let (cert_file, key_file) = (directory.join("cert.pem"), directory.join("key.pem"));
    fs::write(&cert_file, &certificate).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let port = free_port();
    let tls_port = port.to_string();
    let server = RedisServer::start_on(
        port,
        &[
            "--tls-port",
            &tls_port,
            "--port",
            "0",
            "--tls-cert-file",
            path(&cert_file),
            "--tls-key-file",
            path(&key_file),
            "--tls-auth-clients",
            "no",
        ],
    )
    .await;
    let url = format!("rediss://127.0.0.1:{}", server.port);
    let trusting = RedisStore::builder(&url)
        .tls_authorities(certificate)
        .build()
        .unwrap();
    keep(&trusting, &user(), 1).await;
    let mut feed = trusting.subscribe().await.unwrap();
    beats(&mut feed).await;

    let error = store(&url).now().await.unwrap_err();
    assert!(format!("{error:?}").contains("ertificate"), "{error:?}");
    assert_eq!(
        kind(server.store().now().await),
        StoreErrorKind::Unavailable
    );
    fs::remove_dir_all(directory).unwrap();
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn a_server_that_may_evict_is_warned_of_once() {
    use tracing_subscriber::util::SubscriberInitExt;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    let _guard = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .set_default();
    let warnings = || {
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.matches("may evict sessions").count()
    };
    for (policy, expected) in [("noeviction", 0), ("allkeys-lru", 1), ("volatile-ttl", 2)] {
        let server = RedisServer::start_with(&["--maxmemory-policy", policy]).await;
        let store = server.store();
        for _ in 0..3 {
            keep_any(&store).await;
            server.kill();
            server.restart().await;
        }
        sleep(DEADLINE).await;
        assert_eq!(warnings(), expected, "{policy}");
    }
}

#[cfg(feature = "tracing")]
async fn keep_any(store: &RedisStore) {
    works_within(store, SECOND).await;
    sleep(DEADLINE / 5).await;
}

#[tokio::test]
async fn nodes_tell_each_other_through_the_store() {
    let server = RedisServer::start().await;
    let [one, other] = [server.store(), server.store()].map(Sessions::new);
    let issued = one.issue(alice()).await.unwrap();
    let token = issued.token().expose();
    assert!(other.check(token).await.is_ok());
    // The link of the other node comes up in the background.
    eventually("the link", async || {
        let () = sleep(Duration::from_millis(50)).await;
        let channels: Vec<String> = server
            .client()
            .await
            .ask(&["PUBSUB", "NUMSUB", "wxs:changed:0"])
            .await;
        channels.last().is_some_and(|count| count == "2")
    })
    .await;
    one.revoke(alice(), RevokeReason::KickedOut).await.unwrap();
    let start = Instant::now();
    while other.check(token).await.is_ok() {
        assert!(start.elapsed() < DEADLINE, "fresh for 30 s otherwise");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Runs `ask` 50 000 times, 64 at a time, and returns how long that took.
async fn at_once<F: Future<Output = ()> + Send + 'static>(
    ask: impl Fn(u8) -> F + Send + Sync + 'static,
) -> Duration {
    let ask = Arc::new(ask);
    let start = Instant::now();
    let workers: Vec<_> = (0..64)
        .map(|number| {
            let ask = Arc::clone(&ask);
            tokio::spawn(async move {
                for _ in 0..50_000 / 64 {
                    ask(number).await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: cargo test --release --all-features --test redis -- --ignored --nocapture"]
async fn a_load_costs_what_a_plain_get_costs() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    for number in 0..64 {
        keep(&store, &user(), number).await;
    }
    let memory: u64 = {
        let key = key_with(&client, &id(&user(), 1).to_string()).await;
        client.ask(&["MEMORY", "USAGE", &key]).await
    };
    let index: u64 = {
        let key = key_with(&client, ":u:").await;
        client.ask(&["MEMORY", "USAGE", &key]).await
    };
    let mut ratios = Vec::new();
    for round in 0..12 {
        let (loading, getting) = (store.clone(), client.clone());
        let loaded = at_once(move |number| {
            let store = loading.clone();
            async move {
                let loaded = store.load(id(&user(), number)).await.unwrap();
                assert!(matches!(loaded, Loaded::Live(_)));
            }
        });
        let got = at_once(move |number| {
            let client = getting.clone();
            async move {
                let id = id(&user(), number);
                let key = format!("wxs:{{{:04x}}}:s:{id}", u16::from_be_bytes(id.bucket()));
                let bytes: Vec<u8> = client.ask(&["GET", &key]).await;
                assert!(!bytes.is_empty());
            }
        });
        // The order alternates: whoever comes second finds everything warm.
        let (loaded, got) = if round % 2 == 0 {
            let loaded = loaded.await;
            (loaded, got.await)
        } else {
            let got = got.await;
            (loaded.await, got)
        };
        ratios.push(got.as_secs_f64() / loaded.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!("loads per second against plain GETs: {ratios:.2?}");
    println!("bytes: {memory} per record, {index} for an index of 64 sessions");
    assert!(ratios[6] >= 0.8, "{ratios:.2?}");
}
