//! Logins that come at the same time: few scripts, and each its own answer.

use std::time::Duration;

use futures_util::future::join_all;
use tower_wx_session::store::{
    Insert, Inserted, Loaded, Record, RedisStore, SessionStore, StoreError, Timestamp,
};
use tower_wx_session::{Identity, SessionId};

use super::records::{HOUR, SECOND, id, keep, key_with, user};
use crate::support::eventually::eventually;
use crate::support::redis::{Client, RedisServer};
use crate::support::resp2::Proxy;

/// Eight at once by themselves, and then two batches; some more where the server is slow.
const AT_ONCE: u8 = 64;
const FEW: u64 = AT_ONCE as u64 / 2;

fn other(number: u8) -> Identity {
    Identity::new("appid", format!("user {number}"))
}

fn login(user: &Identity, number: u8, now: Timestamp, idle_timeout: Duration) -> Insert {
    let record = Record::issued(user.clone(), now, 24 * HOUR, idle_timeout, None);
    Insert::new(id(user, number), record)
}

/// One of each of so many users.
async fn logins(store: &RedisStore) -> Vec<Insert> {
    let now = store.now().await.unwrap();
    let one = |number| login(&other(number), number, now, HOUR);
    (0..AT_ONCE).map(one).collect()
}

async fn log_in(store: &RedisStore, logins: &[Insert]) -> Vec<Result<Inserted, StoreError>> {
    join_all(logins.iter().map(|login| store.insert(login.clone()))).await
}

fn is_kept(inserted: &Result<Inserted, StoreError>) -> bool {
    matches!(inserted, Ok(Inserted::Kept(replaced)) if replaced.is_empty())
}

async fn sessions_of(store: &RedisStore, user: &Identity) -> Vec<SessionId> {
    let listed = store.list(user.clone()).await.unwrap().into_iter();
    listed.map(|(id, _)| id).collect()
}

/// How many scripts were run, and refused.
async fn scripts(client: &Client) -> [u64; 2] {
    let stats: String = client.ask(&["INFO", "commandstats"]).await;
    let mut lines = stats.lines();
    let line = lines.find_map(|line| line.strip_prefix("cmdstat_evalsha:"));
    ["calls=", "rejected_calls="].map(|name| {
        let mut fields = line.unwrap_or_default().split(',');
        let count = fields.find_map(|field| field.strip_prefix(name));
        count.map_or(0, |count| count.parse().unwrap())
    })
}

/// Logs in all at once; how many scripts were run and refused for that.
async fn cost(store: &RedisStore, client: &Client, logins: &[Insert]) -> [u64; 2] {
    keep(store, &user(), 0).await;
    let () = client.ask(&["CONFIG", "RESETSTAT"]).await;
    let inserted = log_in(store, logins).await;
    assert!(inserted.iter().all(is_kept), "{inserted:?}");
    scripts(client).await
}

#[tokio::test]
async fn logins_that_come_at_the_same_time_are_few_scripts() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let logins = logins(&store).await;
    let [few, refused] = cost(&store, &client, &logins).await;
    assert!(few < FEW && refused == 0, "{few}, {refused}");
    for login in &logins {
        let record = &login.record;
        assert_eq!(sessions_of(&store, &record.identity).await, [login.id]);
        let kept = store.load(login.id).await.unwrap();
        assert_eq!(kept, Loaded::Live(record.clone()));
        let key = key_with(&client, &login.id.to_string()).await;
        let end: u64 = client.ask(&["PEXPIRETIME", &key]).await;
        assert_eq!(Timestamp::from_millis(end), record.kept_until());
    }
    let () = client.ask(&["FLUSHALL"]).await;
    assert_eq!(cost(&store, &client, &logins[..8]).await, [8, 0]);
}

#[tokio::test]
async fn those_of_one_user_are_all_in_an_index_that_lives_as_long_as_they_do() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let now = store.now().await.unwrap();
    let longest = usize::from(AT_ONCE) - 10;
    let of_user = |number| {
        let idle_timeout = match usize::from(number) == longest {
            true => 20 * HOUR,
            false => HOUR + u32::from(number) * SECOND,
        };
        login(&user(), number, now, idle_timeout)
    };
    let logins: Vec<_> = (0..AT_ONCE).map(of_user).collect();
    let inserted = log_in(&store, &logins).await;
    assert!(inserted.iter().all(is_kept), "{inserted:?}");
    let ids: Vec<_> = logins.iter().map(|login| login.id).collect();
    let mut listed = sessions_of(&store, &user()).await;
    listed.sort_unstable();
    assert_eq!(listed, ids);
    let index = key_with(&client, ":u:").await;
    let end: u64 = client.ask(&["PEXPIRETIME", &index]).await;
    let needed = logins[longest].record.kept_until();
    assert_eq!(Timestamp::from_millis(end), needed);
}

#[tokio::test]
async fn what_is_wrong_with_one_login_is_its_own_matter() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let logins = logins(&store).await;
    let inserted = log_in(&store, &logins[20..21]).await;
    assert!(inserted.iter().all(is_kept));
    // An index that is none, and one of a user whose sessions are gone.
    log_in(&store, &logins[30..31]).await;
    let index = index_of(&client, &logins[30]).await;
    client.set(&index, b"rubbish").await;
    let session = key_with(&client, &logins[30].id.to_string()).await;
    let () = client.ask(&["DEL", &session]).await;
    for number in 100..120 {
        let (gone, _) = keep(&store, &other(40), number).await;
        let key = key_with(&client, &gone.to_string()).await;
        let () = client.ask(&["DEL", &key]).await;
    }

    for (number, inserted) in log_in(&store, &logins).await.into_iter().enumerate() {
        match number {
            20 => assert_eq!(inserted.unwrap(), Inserted::Taken),
            30 => assert!(inserted.is_err(), "{inserted:?}"),
            _ => assert!(is_kept(&inserted), "{number}: {inserted:?}"),
        }
    }
    let index = index_of(&client, &logins[40]).await;
    let entries: usize = client.ask(&["ZCARD", &index]).await;
    assert!(
        entries < 20,
        "some of those that are gone were forgotten: {entries}"
    );
    assert_eq!(sessions_of(&store, &other(40)).await, [logins[40].id]);
}

#[tokio::test]
async fn a_right_that_only_some_need_is_missing_to_them_alone() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let logins = logins(&store).await;
    // Until when the index of somebody's sessions lasts is looked at if there are some already.
    keep(&store, &other(20), 100).await;
    let () = client.ask(&["ACL", "SETUSER", "default", "-pttl"]).await;
    for (number, inserted) in log_in(&store, &logins).await.into_iter().enumerate() {
        match number {
            20 => assert!(inserted.is_err(), "{inserted:?}"),
            _ => assert!(is_kept(&inserted), "{number}: {inserted:?}"),
        }
    }
}

/// The key of the index in a login's bucket.
async fn index_of(client: &Client, login: &Insert) -> String {
    let [high, low] = login.id.bucket();
    key_with(client, &format!("{{{high:02x}{low:02x}}}:u:")).await
}

#[tokio::test]
async fn what_a_server_refuses_is_done_once_it_takes_it() {
    let server = RedisServer::start().await;
    let (store, client) = (server.store(), server.client().await);
    let logins = logins(&store).await;
    let () = client.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let refused = log_in(&store, &logins).await;
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    let () = client.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    let [few, refused] = cost(&store, &client, &logins).await;
    assert!(few < FEW && refused == 0, "{few}, {refused}");
}

#[tokio::test]
async fn at_one_of_a_cluster_s_servers_each_is_a_script() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]).await;
    let client = server.client().await;
    let () = client
        .ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])
        .await;
    // One address, as of a proxy before a Cluster.
    let store = server.store();
    let serves = async || store.now().await.is_ok() && store.writable([0; 2]).await.is_ok();
    eventually("the slots are served", serves).await;
    let logins = logins(&store).await;
    let each = u64::from(AT_ONCE);
    assert_eq!(cost(&store, &client, &logins).await, [each, 0]);
}

#[tokio::test]
async fn a_server_that_dies_takes_no_login_along_for_longer_than_it_is_gone() {
    let server = RedisServer::start().await;
    let store = server.store();
    let logins = logins(&store).await;
    server.kill();
    let failed = log_in(&store, &logins).await;
    assert!(failed.iter().all(Result::is_err), "{failed:?}");
    server.restart().await;
    let back = async || store.now().await.is_ok();
    eventually("it is found again", back).await;
    let inserted = log_in(&store, &logins).await;
    assert!(inserted.iter().all(is_kept), "{inserted:?}");
}

#[tokio::test]
async fn a_proxy_that_says_it_is_alone_keeps_each_session_where_it_is_looked_for() {
    let (one, other) = (RedisServer::start().await, RedisServer::start().await);
    let proxy = Proxy::spreading(&[&one, &other]).await;
    let store = proxy.store();
    let logins = logins(&store).await;
    for _first_and_again in 0..2 {
        let inserted = log_in(&store, &logins).await;
        assert!(inserted.iter().all(is_kept), "{inserted:?}");
        for login in &logins {
            let loaded = store.load(login.id).await.unwrap();
            assert_eq!(loaded, Loaded::Live(login.record.clone()));
        }
        for server in [&one, &other] {
            let () = server.client().await.ask(&["FLUSHALL"]).await;
        }
    }
}
