//! What errors say when a URL, a setting or a right is not as it has to be.

use futures_util::future::join_all;
use tokio::time::timeout;
use tower_wx_session::Identity;
#[cfg(feature = "tracing")]
use tower_wx_session::RejectionKind;
use tower_wx_session::store::{RedisStore, SessionStore, StoreError, TagKey};
#[cfg(feature = "tracing")]
use tracing::Level;

use super::records::{DEADLINE, id, keep, user};
use crate::support::errors::texts;
#[cfg(feature = "tracing")]
use crate::support::log::Log;
#[cfg(feature = "tracing")]
use crate::support::nodes::node_in_real_time;
use crate::support::redis::{
    RedisCluster, RedisSentinel, RedisServer, Release, eventually, free_port, store,
};

const NO_SCRIPTS: &str =
    "the server runs no scripts: EVAL and EVALSHA must be neither renamed nor disabled";
const ONE_OF_A_CLUSTER: &str = "the server is one of a Cluster: write redis+cluster://";

/// Each operation fails and says this, and nothing of what is secret.
async fn says(url: &str, advice: &str) {
    let store = store(url);
    let offer = TagKey::new(1, *b"secret-of-a-tag!");
    let errors = [
        error(store.now().await),
        error(store.load(id(&user(), 1)).await),
        error(store.tag_keys(offer).await),
        error(store.subscribe().await),
    ];
    for told in errors {
        assert!(told.contains(advice), "{url}: {advice:?} is not in {told}");
        assert!(!told.contains("secret"), "{url}: {told}");
    }
}

fn error<T>(answer: Result<T, StoreError>) -> String {
    texts(&answer.err().expect("a server that will not do"))
}

/// Does the same on each of the releases, all at once.
async fn on(releases: &[Release], check: impl AsyncFn(Release)) {
    join_all(releases.iter().map(|release| check(*release))).await;
}

#[tokio::test]
async fn a_url_that_does_not_fit_its_server() {
    on(&Release::ALL, async |release| {
        let server = RedisServer::start_release(release, &[]).await;
        let at = |scheme: &str, credentials: &str, path: &str| {
            format!("{scheme}://{credentials}127.0.0.1:{}{path}", server.port)
        };
        says(&at("redis", "", "/99"), "the server has no database 99").await;
        let advice = "the server is no part of a Cluster: write redis://";
        says(&at("redis+cluster", "", ""), advice).await;
        let advice = "the server is no Sentinel: name the Sentinels";
        says(&at("redis+sentinel", "", "/sessions"), advice).await;
        let advice = "the server knows no such user with this password";
        says(&at("redis", "nobody:secret@", ""), advice).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_do() {
    on(&Release::ALL, async |release| {
        for command in ["EVAL", "EVALSHA"] {
            let server =
                RedisServer::start_release(release, &["--rename-command", command, ""]).await;
            says(&server.url(), NO_SCRIPTS).await;
        }
        let server = RedisServer::start_release(release, &["--requirepass", "secret"]).await;
        says(&server.url(), "the server wants a password: write redis://").await;
        let server = RedisServer::start_release(release, &["--maxclients", "1"]).await;
        let _one = server.client().await;
        says(&server.url(), "`maxclients`").await;
    })
    .await;
}

#[tokio::test]
async fn a_sentinel_a_replica_or_a_service_that_nobody_knows() {
    on(&Release::ALL, async |release| {
        let servers = RedisSentinel::start_release(release).await;
        let advice = "if it is a Sentinel, write redis+sentinel:// and its service";
        says(&servers.sentinel.url(), advice).await;
        let advice = "the server is a replica and not a master: name its master in the URL";
        says(&servers.replica.url(), advice).await;
        let other = servers.url().replace("/sessions", "/other");
        let advice = r#"the Sentinel watches no service "other""#;
        says(&other, advice).await;
        // One that is dead keeps nobody from learning it.
        let dead = format!("127.0.0.1:{},", free_port());
        says(&other.replace("://", &format!("://{dead}")), advice).await;
    })
    .await;
}

#[tokio::test]
async fn one_server_of_a_cluster_fails_all_users_alike() {
    on(
        &[Release::Redis6_2_5, Release::Valkey9_1_2],
        async |release| {
            let cluster = RedisCluster::start_release(release).await;
            for server in &cluster.servers {
                says(&server.url(), ONE_OF_A_CLUSTER).await;
                let store = server.store();
                for number in 0..30 {
                    let user = Identity::new("appid", number.to_string());
                    let told = error(store.load(id(&user, 1)).await);
                    assert!(told.contains(ONE_OF_A_CLUSTER), "{told}");
                }
            }
            let database = match release {
                Release::Redis6_2_5 => "the Cluster has database 0 alone: leave /2 out of the URL",
                _ => "the server has no database 2",
            };
            says(&(cluster.url() + "/2"), database).await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_slot_that_another_server_has_says_so_at_once() {
    let arguments = ["--cluster-enabled", "yes"];
    let [here, there] = [
        RedisServer::start_with(&arguments).await,
        RedisServer::start_with(&arguments).await,
    ];
    let client = here.client().await;
    let key = format!("wxs:{{{:04x}}}:", u16::from_be_bytes(user().bucket()));
    let slot: u16 = client.ask(&["CLUSTER", "KEYSLOT", &key]).await;
    let [before, slot, after] = [slot - 1, slot, slot + 1].map(|slot| slot.to_string());
    let ranges = ["CLUSTER", "ADDSLOTSRANGE", "0", &before, &after, "16383"];
    let () = client.ask(&ranges).await;
    let other = there.client().await;
    let () = other.ask(&["CLUSTER", "ADDSLOTS", &slot]).await;
    let port = there.port.to_string();
    let () = client.ask(&["CLUSTER", "MEET", "127.0.0.1", &port]).await;
    eventually("the Cluster", async || {
        let info: String = client.ask(&["CLUSTER", "INFO"]).await;
        info.contains("cluster_state:ok")
    })
    .await;
    let store = here.store();
    keep(&store, &Identity::new("appid", "of another slot"), 1).await;
    let loaded = timeout(DEADLINE, store.load(id(&user(), 1))).await;
    assert!(error(loaded.expect("within a deadline")).contains(ONE_OF_A_CLUSTER));
    let listed = timeout(DEADLINE, store.list(user())).await;
    assert!(error(listed.expect("within a deadline")).contains(ONE_OF_A_CLUSTER));
}

#[tokio::test]
async fn a_cluster_of_one_server_is_as_good_as_a_server() {
    let server = RedisServer::start_with(&["--cluster-enabled", "yes"]).await;
    let client = server.client().await;
    let () = client
        .ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])
        .await;
    eventually("the Cluster", async || {
        let info: String = client.ask(&["CLUSTER", "INFO"]).await;
        info.contains("cluster_state:ok")
    })
    .await;
    keep(&server.store(), &user(), 1).await;
}

#[tokio::test]
async fn nothing_that_listens_and_nobody_of_that_name() {
    let closed = format!("redis://127.0.0.1:{}", free_port());
    says(&closed, "nothing listens there").await;
    let unknown = "redis://:secret@no-such-host.invalid";
    let advice = "no-such-host.invalid:6379: no address is known for this name";
    says(unknown, advice).await;
}

#[tokio::test]
async fn valkey_without_lua() {
    let arguments = ["--enable-module-command", "yes"];
    let server = RedisServer::start_release(Release::Valkey9_1_2, &arguments).await;
    let client = server.client().await;
    let () = client.ask(&["MODULE", "UNLOAD", "lua"]).await;
    says(&server.url(), "have Valkey load its module for Lua").await;
}

#[tokio::test]
async fn a_database_that_the_user_may_not_use() {
    let server = RedisServer::start_release(Release::Valkey9_1_2, &[]).await;
    let rules = "ACL SETUSER node on >pw ~* &* +@all resetdbs db=1";
    let rules: Vec<_> = rules.split(' ').collect();
    let () = server.client().await.ask(&rules).await;
    let url = format!("redis://node:pw@127.0.0.1:{}/", server.port);
    keep(&store(&(url.clone() + "1")), &user(), 1).await;
    let advice = "the user may not use database 2: the ACL needs db=2 or alldbs";
    says(&(url + "2"), advice).await;
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn a_node_says_it_once_in_an_outage() {
    let server = RedisServer::start_with(&["--rename-command", "EVALSHA", ""]).await;
    let (log, _guard) = Log::from(Level::WARN);
    let sessions = node_in_real_time(RedisStore::builder(&server.url()).build().unwrap());
    for _ in 0..20 {
        let refused = sessions.issue(user()).await.unwrap_err();
        assert_eq!(refused.kind(), RejectionKind::StoreUnavailable);
    }
    let text = log.text();
    let failed = text
        .lines()
        .filter(|line| line.contains("session store failed"));
    let told: Vec<_> = failed.filter(|line| line.contains(NO_SCRIPTS)).collect();
    assert_eq!(told.len(), 1, "{text}");
}
