//! Servers that speak RESP3, or RESP2 only, and those behind a proxy.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_wx_session::Identity;
use tower_wx_session::store::{Loaded, RedisStore, SessionStore, StoreErrorKind};

use super::cluster::users;
use super::link::{beats, ended, told};
use super::records::{SECOND, id, keep, logout, user};
use crate::support::redis::{Client, RedisCluster, RedisServer, Release, eventually, store};
use crate::support::resp2::{Proxy, RESP2_ONLY};

/// A user that a server is started with, which may do anything.
const NODE: [&str; 8] = [
    "--user",
    "node",
    "on",
    ">s3cret",
    "~*",
    "&*",
    "+@all",
    "--requirepass",
];

/// Servers with users, one of each kind.
async fn servers_with_users() -> [RedisServer; 2] {
    let resp3 = [&NODE[..], &["passw0rd"]].concat();
    let resp2 = [&resp3[..], &RESP2_ONLY].concat();
    [
        RedisServer::start_with(&resp3).await,
        RedisServer::start_with(&resp2).await,
    ]
}

#[tokio::test]
async fn users_passwords_and_databases_work_over_both_protocols() {
    for server in servers_with_users().await {
        for (number, credentials) in [":passw0rd", "default:passw0rd", "node:s3cret"]
            .into_iter()
            .enumerate()
        {
            let database = number + 1;
            let at = |rest| format!("redis://{credentials}@127.0.0.1:{}{rest}", server.port);
            let store = store(&at(format!("/{database}")));
            let mut feed = store.subscribe().await.unwrap();
            let (id, _) = keep(&store, &user(), 1).await;
            assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]);
            told(&mut feed, id).await;
            let other = crate::support::redis::store(&at(String::new()));
            assert_eq!(other.load(id).await.unwrap(), Loaded::NeverSeen);
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_login_at_the_server_is_said_and_no_secret_with_it() {
    for server in servers_with_users().await {
        for credentials in [":wr0ng", "node:wr0ng", "stranger:wr0ng"] {
            let store = store(&format!("redis://{credentials}@127.0.0.1:{}", server.port));
            for error in [
                store.load(id(&user(), 1)).await.unwrap_err(),
                store.subscribe().await.unwrap_err(),
            ] {
                let text = format!("{error} {error:?}");
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
                assert!(text.contains("WRONGPASS"), "{text}");
                assert!(!text.contains("wr0ng"), "{text}");
            }
        }
        let error = server.store().load(id(&user(), 1)).await.unwrap_err();
        assert!(format!("{error:?}").contains("NOAUTH"), "{error:?}");
        let url = format!("redis://:passw0rd@127.0.0.1:{}/99", server.port);
        let error = store(&url).load(id(&user(), 1)).await.unwrap_err();
        assert!(format!("{error:?}").contains("out of range"), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_repeats_what_it_does_not_understand_repeats_no_password() {
    let more = [&RESP2_ONLY[..], &["--rename-command", "AUTH", ""]].concat();
    let server = RedisServer::start_with(&more).await;
    let repeated = server.client().await;
    let repeated = repeated.try_ask::<String>(&["AUTH", "s3cret"]).await;
    assert!(repeated.unwrap_err().to_string().contains("s3cret"));
    let url = format!("redis://:s3cret@127.0.0.1:{}", server.port);
    let error = store(&url).load(id(&user(), 1)).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("does not take user and password"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

/// A number from a server's INFO.
async fn number(client: &Client, section: &str, name: &str) -> u64 {
    let info: String = client.ask(&["INFO", section]).await;
    let mut lines = info.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or("0").parse().unwrap()
}

#[tokio::test]
async fn a_node_has_as_many_connections_as_the_protocol_needs() {
    for (more, of_link) in [(&[][..], 1), (&RESP2_ONLY, 2)] {
        let server = RedisServer::start_with(more).await;
        let client = server.client().await;
        let opened = async || number(&client, "stats", "total_connections_received").await;
        let before = opened().await;
        let store = server.store();
        keep(&store, &user(), 1).await;
        assert_eq!(opened().await - before, 1, "finding out the protocol");
        beats(&mut store.subscribe().await.unwrap()).await;
        assert_eq!(opened().await - before, 1 + of_link, "with a link");
    }
}

#[tokio::test]
async fn a_server_that_may_not_say_its_role_says_it_in_info() {
    let more = [&RESP2_ONLY[..], &["--rename-command", "ROLE", ""]].concat();
    let server = RedisServer::start_with(&more).await;
    let store = server.store();
    let mut feed = store.subscribe().await.unwrap();
    beats(&mut feed).await;
    let (id, _) = keep(&store, &user(), 1).await;
    let client = server.client().await;
    let () = client.ask(&["REPLICAOF", "127.0.0.1", "1"]).await;
    let noticed = timeout(SECOND, ended(&mut feed)).await;
    assert!(noticed.is_ok(), "the link goes on");
    let error = RedisStore::builder(&server.url()).build().unwrap();
    let error = error.load(id).await.unwrap_err();
    assert!(format!("{error:?}").contains("not a master"), "{error:?}");
}

#[tokio::test]
async fn a_server_of_another_kind_may_take_the_place_of_one() {
    let mut server = RedisServer::start().await;
    let store = server.store();
    for more in [&RESP2_ONLY[..], &[], &RESP2_ONLY] {
        let mut feed = store.subscribe().await.unwrap();
        let (id, _) = keep(&store, &user(), 1).await;
        store.revoke(logout(id)).await.unwrap();
        told(&mut feed, id).await;
        server.kill();
        let port = server.port;
        drop(server);
        server = RedisServer::start_on(port, more).await;
        ended(&mut feed).await;
        eventually("the other server", async || {
            matches!(store.load(id).await, Ok(Loaded::NeverSeen))
        })
        .await;
    }
    assert!(store.subscribe().await.is_ok());
}

/// Behind one address as behind a virtual one in a failover: whoever subscribes gets to a server
/// that hears nothing of what is published at the other.
#[tokio::test]
async fn two_servers_behind_one_address_make_no_link() {
    let [one, other] = [RedisServer::start().await, RedisServer::start().await];
    let proxy = Proxy::to_two(&one, &other).await;
    let store = proxy.store();
    keep(&store, &user(), 1).await;
    let opening = timeout(5 * SECOND, store.subscribe()).await;
    assert!(opening.expect("an answer").is_err());
    let proxy = Proxy::to_two(&one, &one).await;
    beats(&mut proxy.store().subscribe().await.unwrap()).await;
}

/// The lines of MONITOR about the connection that probes come from, up to the third of them.
async fn monitored(server: &RedisServer, store: &RedisStore) -> Vec<String> {
    let mut monitor = TcpStream::connect(("127.0.0.1", server.port))
        .await
        .unwrap();
    monitor.write_all(b"MONITOR\r\n").await.unwrap();
    let mut lines = BufReader::new(monitor).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("+OK"));
    let _feed = store.subscribe().await.unwrap();
    let (mut seen, mut probes) = (Vec::new(), Vec::new());
    while probes.len() < 3 {
        let line = lines.next_line().await.unwrap().unwrap();
        // Not the one by which a server is examined.
        if line.contains("\"EVAL\"") && !line.contains("\"return 1\"") {
            let connection = line.split(['[', ']']).nth(1).unwrap();
            probes.push(format!("[{connection}]"));
        }
        seen.push(line);
    }
    seen.retain(|line| line.contains(&probes[0]));
    seen
}

#[tokio::test]
async fn a_heartbeat_reads_its_time_before_it_publishes_its_probe() {
    let server = RedisServer::start_with(&RESP2_ONLY).await;
    let lines = timeout(5 * SECOND, monitored(&server, &server.store())).await;
    let lines = lines.expect("three heartbeats");
    let of = |line: &String| {
        ["\"TIME\"", "\"EVAL\""]
            .into_iter()
            .find(|word| line.contains(word))
    };
    // The first time is that of the greeting.
    let order: Vec<_> = lines.iter().filter_map(of).skip(1).collect();
    assert_eq!(order, ["\"TIME\"", "\"EVAL\""].repeat(3), "{lines:?}");
}

/// A user of each master.
async fn one_of_each(cluster: &RedisCluster) -> [Identity; 3] {
    let users = users(&cluster.servers[0].client().await, 1).await;
    users.map(|mut of_one| of_one.remove(0))
}

#[tokio::test]
async fn a_link_tells_of_changes_at_each_master_behind_one_address() {
    let cluster = RedisCluster::start().await;
    let proxy = Proxy::for_all(&cluster).await;
    let store = RedisStore::builder(&proxy.cluster_url()).announce_per_master(true);
    let store = store.build().unwrap();
    let mut feed = store.subscribe().await.unwrap();
    for user in one_of_each(&cluster).await {
        let (id, _) = keep(&store, &user, 1).await;
        assert_eq!(store.revoke(logout(id)).await.unwrap(), [id]);
        told(&mut feed, id).await;
        beats(&mut feed).await;
        beats(&mut feed).await;
    }
}

/// A Cluster that serves what it can.
async fn a_cluster_with_gaps() -> RedisCluster {
    let cluster = RedisCluster::start().await;
    // Or links would end because the Cluster is down.
    cluster.serve_what_there_is().await;
    cluster
}

#[tokio::test]
async fn a_master_that_hangs_behind_one_address_ends_the_link() {
    let cluster = a_cluster_with_gaps().await;
    for proxy in [
        Proxy::for_all(&cluster).await,
        Proxy::for_all_over_resp3(&cluster).await,
    ] {
        let store = store(&proxy.cluster_url());
        let mut feed = store.subscribe().await.unwrap();
        beats(&mut feed).await;
        // Neither commands without a key nor subscribers come to this one.
        cluster.servers[2].pause();
        let noticed = timeout(2 * SECOND, ended(&mut feed)).await;
        assert!(noticed.is_ok(), "the link goes on");
        cluster.servers[2].resume();
        eventually("another link", async || store.subscribe().await.is_ok()).await;
    }
}

#[tokio::test]
async fn a_master_that_is_dead_behind_one_address_ends_the_link() {
    let cluster = a_cluster_with_gaps().await;
    let proxy = Proxy::for_all(&cluster).await;
    let store = store(&proxy.cluster_url());
    let mut feed = store.subscribe().await.unwrap();
    beats(&mut feed).await;
    cluster.servers[2].kill();
    let noticed = timeout(2 * SECOND, ended(&mut feed)).await;
    assert!(noticed.is_ok(), "the link goes on");
    assert!(
        store.subscribe().await.is_err(),
        "another one lacks a master"
    );
}

#[tokio::test]
async fn a_link_over_resp2_outlives_the_move_of_the_slot_that_it_probes() {
    let cluster = RedisCluster::start_release_with(Release::System, &RESP2_ONLY).await;
    let store = cluster.store();
    let mut feed = store.subscribe().await.unwrap();
    beats(&mut feed).await;
    let client = cluster.servers[0].client().await;
    // No slot has a key, so each is moved by a word. These are some that the first buckets have.
    let to: String = cluster.servers[2]
        .client()
        .await
        .ask(&["CLUSTER", "MYID"])
        .await;
    let mut moved = 0;
    for bucket in 0..64 {
        let key = format!("{{{bucket:04x}}}");
        let slot: u16 = client.ask(&["CLUSTER", "KEYSLOT", &key]).await;
        if slot < 10_923 {
            for server in &cluster.servers {
                let words = ["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &to];
                let () = server.client().await.ask(&words).await;
            }
            moved += 1;
        }
    }
    assert!(moved > 20);
    for _ in 0..4 {
        beats(&mut feed).await;
    }
    for user in one_of_each(&cluster).await {
        let (id, _) = keep(&store, &user, 1).await;
        store.revoke(logout(id)).await.unwrap();
        told(&mut feed, id).await;
    }
}
