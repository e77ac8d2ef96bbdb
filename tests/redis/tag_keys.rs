//! The keys of the tags in real Redis servers, which lose them.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_wx_session::store::{RedisStore, SessionStore, TagKey};
use tower_wx_session::{Identity, RejectionKind, Sessions};

use crate::support::forged::{forged, key_of};
use crate::support::nodes::node_in_real_time;
use crate::support::redis::{Client, RedisCluster, RedisServer, eventually, store};

const SECOND: Duration = Duration::from_secs(1);
const SOURCE: &str = "wxs:tag-key";

type Node = Sessions<RedisStore>;

fn node(url: &str) -> Node {
    node_in_real_time(store(url))
}

async fn log_in(node: &Node) -> String {
    log_in_as(node, "alice").await.unwrap()
}

async fn log_in_as(node: &Node, openid: &str) -> Result<String, RejectionKind> {
    let issued = node.issue(Identity::new("appid", openid)).await;
    let issued = issued.map_err(|rejection| rejection.kind())?;
    Ok(issued.token().expose().to_owned())
}

async fn refusal(node: &Node, token: &str) -> Option<RejectionKind> {
    node.check(token).await.err().map(|no| no.kind())
}

async fn kept(client: &Client, place: &str) -> Vec<Vec<u8>> {
    client.ask(&["ZRANGE", place, "0", "-1"]).await
}

/// Waits for the nodes to pass the tokens, all of which stand for live sessions.
async fn agree(nodes: &[&Node], tokens: &[&str]) {
    let start = Instant::now();
    eventually("the nodes to know each other's keys", async || {
        for node in nodes {
            for token in tokens {
                if refusal(node, token).await.is_some() {
                    return false;
                }
            }
        }
        true
    })
    .await;
    assert!(start.elapsed() < 12 * SECOND, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_deleted_key_comes_back_without_a_node_that_knows_it() {
    let server = RedisServer::start().await;
    let (url, client) = (server.url(), server.client().await);
    let old = node(&url);
    let before = log_in(&old).await;
    let keys = kept(&client, SOURCE).await;
    drop(old);
    let _: i64 = client.ask(&["DEL", SOURCE]).await;
    let new = node(&url);
    let after = log_in(&new).await;
    assert_eq!(key_of(&after), key_of(&before));
    assert_eq!(refusal(&new, &before).await, None);
    assert_eq!(kept(&client, SOURCE).await, keys);
}

#[tokio::test]
async fn a_node_puts_back_what_no_place_has_any_more() {
    let server = RedisServer::start().await;
    let (url, client) = (server.url(), server.client().await);
    let old = node(&url);
    let before = log_in(&old).await;
    for n in ["wxs:{0}", "wxs:{1}", "wxs:{2}", "wxs:{3}", "wxs"] {
        let deleted: i64 = client.ask(&["DEL", &format!("{n}:tag-key")]).await;
        assert_eq!(deleted, 1, "{n}");
    }
    let new = node(&url);
    let after = log_in(&new).await;
    agree(&[&old, &new, &node(&url)], &[&before, &after]).await;
}

#[tokio::test]
async fn old_and_new_nodes_agree_after_a_flush() {
    let server = RedisServer::start().await;
    let (url, client) = (server.url(), server.client().await);
    let old = node(&url);
    let lost = log_in(&old).await;
    let () = client.ask(&["FLUSHALL"]).await;
    let new = node(&url);
    let (after, beside) = (log_in(&new).await, log_in(&old).await);
    agree(&[&old, &new, &node(&url)], &[&after, &beside]).await;
    // What was lost with its session is known as a token, not as a live one.
    assert_eq!(
        refusal(&new, &lost).await,
        Some(RejectionKind::SessionUnknown)
    );
}

#[tokio::test]
async fn old_and_new_nodes_agree_after_a_restart_with_nothing() {
    let server = RedisServer::start().await;
    let url = server.url();
    let old = node(&url);
    log_in(&old).await;
    server.restart().await;
    let new = node(&url);
    for node in [&new, &old] {
        eventually("a login", async || log_in_as(node, "bob").await.is_ok()).await;
    }
    let (after, beside) = (log_in(&new).await, log_in(&old).await);
    agree(&[&old, &new, &node(&url)], &[&after, &beside]).await;
}

/// How often a command was called.
async fn calls(client: &Client, command: &str) -> u64 {
    let info: String = client.ask(&["INFO", "commandstats"]).await;
    let name = format!("cmdstat_{command}:calls=");
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix(name.as_str()));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_flood_that_names_every_key_costs_redis_a_get_a_second() {
    let server = RedisServer::start().await;
    let (url, client) = (server.url(), server.client().await);
    let sessions = node(&url);
    let good = log_in(&sessions).await;
    sleep(SECOND / 5).await;
    assert_eq!(refusal(&sessions, &good).await, None);
    let (gets, fetches) = (calls(&client, "get").await, calls(&client, "zrange").await);
    let start = Instant::now();
    for number in 0..10_240 {
        assert!(
            refusal(&sessions, &forged(number as u8, number))
                .await
                .is_some()
        );
    }
    let seconds = start.elapsed().as_secs();
    let gets = calls(&client, "get").await - gets;
    let fetches = calls(&client, "zrange").await - fetches;
    println!("{gets} GETs and {fetches} ZRANGEs in {:?}", start.elapsed());
    assert!(gets <= seconds + 1, "{gets} in {seconds} s");
    // A fetch asks five places.
    assert!(fetches <= 5 * (seconds + 2), "{fetches} in {seconds} s");
    assert_eq!(refusal(&sessions, &good).await, None);
}

/// The server of a Cluster that has the slot of a key.
async fn owner(cluster: &RedisCluster, key: &str) -> usize {
    let client = cluster.servers[0].client().await;
    let slot: usize = client.ask(&["CLUSTER", "KEYSLOT", key]).await;
    (slot / 5461).min(2)
}

#[tokio::test]
async fn a_node_that_starts_without_the_keys_master_serves_the_others_users() {
    let cluster = RedisCluster::start().await;
    for server in &cluster.servers {
        let client = server.client().await;
        let whole = ["CONFIG", "SET", "cluster-require-full-coverage", "no"];
        let () = client.ask(&whole).await;
    }
    let dead = owner(&cluster, SOURCE).await;
    let old = node(&cluster.url());
    let mut users = Vec::new();
    for number in 0..30u8 {
        let openid = number.to_string();
        let bucket = Identity::new("appid", openid.as_str()).bucket();
        let key = format!("{{{:04x}}}", u16::from_be_bytes(bucket));
        if owner(&cluster, &key).await != dead {
            users.push((openid.clone(), log_in_as(&old, &openid).await.unwrap()));
        }
    }
    assert!(!users.is_empty());
    cluster.servers[dead].kill();
    let alive = cluster.servers[(dead + 1) % 3].url();
    let new = node(&alive.replace("redis://", "redis+cluster://"));
    eventually("the new node to find its way", async || {
        refusal(&new, &users[0].1).await.is_none()
    })
    .await;
    for (openid, token) in &users {
        assert_eq!(refusal(&new, token).await, None, "{openid}");
        let again = log_in_as(&new, openid).await.unwrap();
        assert_eq!(key_of(&again), key_of(token));
        assert_eq!(refusal(&old, &again).await, None, "{openid}");
    }
}

#[tokio::test]
async fn a_key_that_an_older_release_keeps_is_found_and_copied() {
    let server = RedisServer::start().await;
    let client = server.client().await;
    let (this, key) = (server.store(), TagKey::new(7, [7; 16]));
    this.tag_keys(key.clone()).await.unwrap();
    // It knows of no copies.
    for n in 0..4 {
        let _: i64 = client.ask(&["DEL", &format!("wxs:{{{n}}}:tag-key")]).await;
    }
    let offer = TagKey::new(8, [8; 16]);
    assert_eq!(server.store().tag_keys(offer).await.unwrap(), [key]);
    for n in 0..4 {
        let copy = kept(&client, &format!("wxs:{{{n}}}:tag-key")).await;
        assert_eq!(copy, kept(&client, SOURCE).await);
    }
}
