//! The keys of the tags in real servers, which lose them.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_wx_session::store::{RedisStore, SessionStore, TagKey};
use tower_wx_session::test_util::{Chaos, ChaosStore};
use tower_wx_session::{Identity, RejectionKind, Sessions};

use super::servers::Servers;
use crate::support::forged::{forged, key_of};
use crate::support::nodes::{node_in_real_time, refusal};
use crate::support::redis::{Client, RedisServer, eventually};

const SECOND: Duration = Duration::from_secs(1);
const SOURCE: &str = "wxs:tag-key";

/// Logs in as soon as the store answers in time.
async fn log_in<S: SessionStore>(node: &Sessions<S>) -> String {
    eventually("a login", async || log_in_as(node, "bob").await.is_ok()).await;
    log_in_as(node, "alice").await.unwrap()
}

async fn log_in_as<S: SessionStore>(
    node: &Sessions<S>,
    openid: &str,
) -> Result<String, RejectionKind> {
    let issued = node.issue(Identity::new("appid", openid)).await;
    let issued = issued.map_err(|rejection| rejection.kind())?;
    Ok(issued.token().expose().to_owned())
}

/// Where keys are kept.
struct Place {
    client: Client,
    name: String,
}

impl Place {
    async fn kept(&self) -> Vec<Vec<u8>> {
        self.client.ask(&["ZRANGE", &self.name, "0", "-1"]).await
    }

    async fn lose(&self) {
        let deleted: i64 = self.client.ask(&["DEL", &self.name]).await;
        assert_eq!(deleted, 1, "{}", self.name);
    }
}

/// All places: the source first.
async fn places(servers: &Servers) -> Vec<Place> {
    let copies = (0..4).map(|n| format!("wxs:{{{n}}}:tag-key"));
    let mut places = Vec::new();
    for name in [SOURCE.to_owned()].into_iter().chain(copies) {
        let client = servers.owner(&name).await.client().await;
        places.push(Place { client, name });
    }
    places
}

async fn lose_all(servers: &Servers) {
    for place in places(servers).await {
        place.lose().await;
    }
}

/// Has the store keep a key that is not the lost one: one in 256 new ones has its number.
async fn keep_another(servers: &Servers, lost: &str) {
    let another = TagKey::new(key_of(lost).wrapping_add(1), [7; 16]);
    servers.store().tag_keys(another).await.unwrap();
}

/// Waits for a node to pass a token that stands for a live session; until then it cannot tell, and
/// sends nobody to log in.
async fn passes<S: SessionStore>(node: &Sessions<S>, token: &str) {
    let start = Instant::now();
    eventually("a node to know the key", async || {
        let refused = refusal(node, token).await;
        assert!(
            matches!(refused, None | Some(RejectionKind::StoreUnavailable)),
            "{refused:?}"
        );
        refused.is_none()
    })
    .await;
    assert!(start.elapsed() < 12 * SECOND, "{:?}", start.elapsed());
}

/// Waits for the nodes to pass the tokens.
async fn agree(nodes: &[&Sessions<RedisStore>], tokens: &[&str]) {
    for node in nodes {
        for token in tokens {
            passes(node, token).await;
        }
    }
}

pub async fn a_lost_source_comes_back_without_a_node_that_knows_it(servers: &Servers) {
    let old = servers.node();
    let before = log_in(&old).await;
    let source = &places(servers).await[0];
    let keys = source.kept().await;
    drop(old);
    source.lose().await;
    let new = servers.node();
    let after = log_in(&new).await;
    assert_eq!(key_of(&after), key_of(&before));
    assert_eq!(refusal(&new, &before).await, None);
    assert_eq!(source.kept().await, keys);
}

pub async fn a_node_puts_back_what_no_place_has_any_more(servers: &Servers) {
    let old = servers.node();
    let before = log_in(&old).await;
    lose_all(servers).await;
    keep_another(servers, &before).await;
    let new = servers.node();
    let after = log_in(&new).await;
    agree(&[&old, &new, &servers.node()], &[&before, &after]).await;
}

/// Nobody knows the key any more, but the sessions live.
pub async fn all_places_lost_and_no_node_left_end_no_session(servers: &Servers) {
    let old = servers.node();
    let tokens = [log_in(&old).await, log_in(&old).await];
    old.shutdown().await.unwrap();
    drop(old);
    lose_all(servers).await;
    keep_another(servers, &tokens[0]).await;
    let new = servers.node();
    let after = log_in(&new).await;
    let forgery = forged(key_of(&tokens[0]), 1);
    assert!(refusal(&new, &forgery).await.is_some());
    agree(&[&new, &servers.node()], &[&tokens[0], &tokens[1], &after]).await;
}

/// It has the old key, and everybody else a new one.
pub async fn a_node_that_was_cut_off_agrees_with_the_others_again(servers: &Servers) {
    let (old, chaos) = (servers.node(), Chaos::seeded(1));
    let cut_off = node_in_real_time(ChaosStore::new(servers.store(), chaos.clone()));
    let before = log_in(&old).await;
    let there = log_in(&cut_off).await;
    chaos.fail(100);
    drop(old);
    lose_all(servers).await;
    keep_another(servers, &before).await;
    let new = servers.node();
    let after = log_in(&new).await;
    assert_ne!(key_of(&after), key_of(&before));
    chaos.fail(0);
    passes(&cut_off, &after).await;
    agree(&[&new, &servers.node()], &[&before, &there, &after]).await;
}

pub async fn old_and_new_nodes_agree_after_a_flush(servers: &Servers) {
    let old = servers.node();
    let lost = log_in(&old).await;
    for master in servers.masters() {
        let () = master.client().await.ask(&["FLUSHALL"]).await;
    }
    keep_another(servers, &lost).await;
    let new = servers.node();
    let (after, beside) = (log_in(&new).await, log_in(&old).await);
    // A client whose session is lost, and one that has just logged in at the other node.
    assert!(refusal(&new, &lost).await.is_some());
    agree(&[&old, &new, &servers.node()], &[&after, &beside]).await;
    // What was lost with its session is known as a token, not as a live one.
    let refused = refusal(&new, &lost).await;
    assert_eq!(refused, Some(RejectionKind::SessionUnknown));
}

pub async fn old_and_new_nodes_agree_after_a_restart_with_nothing(servers: &Servers) {
    let old = servers.node();
    log_in(&old).await;
    for master in servers.masters() {
        master.restart().await;
    }
    let new = servers.node();
    let (after, beside) = (log_in(&new).await, log_in(&old).await);
    agree(&[&old, &new, &servers.node()], &[&after, &beside]).await;
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
    let client = server.client().await;
    let sessions = node_in_real_time(server.store());
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

/// A key may be where nobody can look, and a new one could get its number.
pub async fn no_key_is_made_while_a_copy_cannot_be_read(servers: &Servers) {
    let kept = TagKey::new(1, [1; 16]);
    servers.store().tag_keys(kept).await.unwrap();
    let away = servers.owner("wxs:{0}:tag-key").await;
    assert_ne!(away.port, servers.owner(SOURCE).await.port);
    for place in places(servers).await {
        if servers.owner(&place.name).await.port != away.port {
            place.lose().await;
        }
    }
    away.kill();
    let new = servers.node();
    let start = Instant::now();
    while start.elapsed() < SECOND {
        let login = log_in_as(&new, "alice").await;
        assert_eq!(login, Err(RejectionKind::StoreUnavailable));
        sleep(SECOND / 20).await;
    }
    // It comes back with nothing: now all can be read.
    away.restart().await;
    eventually("a login", async || log_in_as(&new, "alice").await.is_ok()).await;
}

pub async fn a_node_that_starts_without_the_keys_master_serves_the_others_users(servers: &Servers) {
    let dead = servers.owner(SOURCE).await;
    let old = servers.node();
    let mut users = Vec::new();
    for number in 0..30u8 {
        let user = Identity::new("appid", number.to_string());
        if servers.owner_of(&user).await.port != dead.port {
            users.push((
                number.to_string(),
                log_in_as(&old, user.openid()).await.unwrap(),
            ));
        }
    }
    assert!(!users.is_empty());
    dead.kill();
    let new = servers.node();
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

pub async fn a_key_that_an_older_release_keeps_is_found_and_copied(servers: &Servers) {
    let key = TagKey::new(7, [7; 16]);
    servers.store().tag_keys(key.clone()).await.unwrap();
    let places = places(servers).await;
    // It knows of no copies.
    for copy in &places[1..] {
        copy.lose().await;
    }
    let offer = TagKey::new(8, [8; 16]);
    assert_eq!(servers.store().tag_keys(offer).await.unwrap(), [key]);
    let kept = places[0].kept().await;
    for copy in &places[1..] {
        assert_eq!(copy.kept().await, kept);
    }
}
