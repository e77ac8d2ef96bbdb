//! Slots of a Cluster that move, replicas that are promoted and masters that die, while users of two
//! nodes do everything that users do.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::process::Command;
use tokio::time::sleep;
use tower_wx_session::login::{IdentityProvider, LoginRequest};
use tower_wx_session::test_util::FakeWeChat;
use tower_wx_session::wechat::WeChat;

use super::fleet::Fleet;
use super::history::Bounds;
use super::scenario::{Scenario, UNLINKED, scaled, within};
use super::users::{Crowd, Deed};
use crate::support::redis::{Client, RedisCluster, RedisServer, Release, eventually};

/// The slots that move: the first ones of the first server.
const MOVED: u16 = 600;
const USERS: usize = 24;
/// How much longer than without a master its users may get 503: the breaker lets somebody try at the
/// latest after 600 ms, who may take a deadline of 250 ms.
const NOTICED_WITHIN: Duration = Duration::from_secs(1);

/// Two nodes on a Cluster, and a crowd whose keys are in the slots that move.
struct Trial {
    scenario: Scenario,
    cluster: RedisCluster,
    release: Release,
    fleet: Arc<Fleet>,
    crowd: Crowd,
}

impl Trial {
    async fn begin(name: &'static str, release: Release) -> Self {
        let scenario = Scenario::begin(name).await;
        let cluster = RedisCluster::start_release(release).await;
        for server in &cluster.servers {
            let part = ["CONFIG", "SET", "cluster-require-full-coverage", "no"];
            let () = server.client().await.ask(&part).await;
        }
        let url = cluster.url();
        let fleet = Arc::new(Fleet::start(&[&url, &url]).await);
        let users = users(&cluster.servers[0].client().await).await;
        let crowd = Crowd::of(&fleet, &users, scenario.dice);
        sleep(Duration::from_secs(1)).await;
        Self {
            scenario,
            cluster,
            release,
            fleet,
            crowd,
        }
    }

    /// Says what was seen, and fails if it is not what was promised where there was no master for so
    /// long.
    async fn end(self, without_master: Duration) {
        sleep(Duration::from_millis(500)).await;
        let report = self.crowd.stop().await;
        let writes = report.longest_503(|deed| matches!(deed, Deed::Login | Deed::Rotate));
        let reads = report.longest_503(|deed| deed == Deed::Check);
        self.scenario.measured(&report.figures());
        self.scenario.measured(&format!(
            "{:?}: lost {}, resurrected {}; no master for {without_master:.1?}, 503 for {writes:.1?} \
             at logins and rotations, {reads:.1?} at checks",
            self.release, report.lost, report.alive
        ));
        self.scenario
            .end(&self.fleet, &Bounds::others_within(within(UNLINKED)));
        assert_eq!((report.lost, report.alive, report.strange()), (0, 0, 0));
        let allowed = without_master + within(NOTICED_WITHIN);
        assert!(writes.max(reads) <= allowed, "{writes:?}, {reads:?}");
    }

    async fn client(&self, server: usize) -> Client {
        self.cluster.servers[server].client().await
    }

    async fn name(&self, server: usize) -> String {
        self.client(server).await.ask(&["CLUSTER", "MYID"]).await
    }

    /// A server that has joined and has no slot.
    async fn newcomer(&self) -> RedisServer {
        let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
        let newcomer = RedisServer::start_release(self.release, &arguments).await;
        let client = newcomer.client().await;
        let known = self.cluster.servers[0].port.to_string();
        let () = client.ask(&["CLUSTER", "MEET", "127.0.0.1", &known]).await;
        let name: String = client.ask(&["CLUSTER", "MYID"]).await;
        for server in &self.cluster.servers {
            let other = server.client().await;
            eventually("the newcomer to be known", async || {
                let nodes: String = other.ask(&["CLUSTER", "NODES"]).await;
                let own: String = client.ask(&["CLUSTER", "INFO"]).await;
                nodes.contains(&name) && own.contains("cluster_state:ok")
            })
            .await;
        }
        newcomer
    }

    /// A replica of the first server, in step with it.
    async fn replica(&self) -> RedisServer {
        let replica = self.newcomer().await;
        let client = replica.client().await;
        let master = self.name(0).await;
        let () = client.ask(&["CLUSTER", "REPLICATE", &master]).await;
        eventually("the replica to be in step", async || {
            let info: String = client.ask(&["INFO", "replication"]).await;
            info.contains("master_link_status:up")
        })
        .await;
        // A replica that its master does not know yet is not promoted.
        let port = replica.port.to_string();
        let other = self.client(1).await;
        eventually("the replica to be known", async || {
            let nodes: String = other.ask(&["CLUSTER", "NODES"]).await;
            let mut lines = nodes.lines();
            lines.any(|line| line.contains(&port) && line.contains("slave"))
        })
        .await;
        replica
    }
}

/// Users of slots that move, by the names that the nodes' platform knows them by.
async fn users(client: &Client) -> Vec<String> {
    let fake = FakeWeChat::start().await.unwrap();
    let wechat = WeChat::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
    let wechat = wechat.unwrap();
    let mut users = Vec::new();
    for number in 0..10_000 {
        let code = format!("user-{number}:1");
        let request = LoginRequest::new(fake.appid(), &code);
        let exchanged = wechat.exchange(request).await.unwrap();
        let bucket = u16::from_be_bytes(exchanged.identity().bucket());
        let slot = ["CLUSTER", "KEYSLOT", &format!("{bucket:04x}")];
        if client.ask::<u16>(&slot).await < MOVED {
            users.push(format!("user-{number}"));
        }
        if users.len() == USERS {
            break;
        }
    }
    users
}

async fn set_slots(client: &Client, state: &str, of: &str) {
    for slot in 0..MOVED {
        let slot = slot.to_string();
        let words = ["CLUSTER", "SETSLOT", &slot, state, of];
        let () = client.ask(&words).await;
    }
}

/// How many keys there were.
async fn move_keys(from: &Client, to: u16, slot: u16, pause: Duration) -> usize {
    let (slot, port) = (slot.to_string(), to.to_string());
    let words = ["CLUSTER", "GETKEYSINSLOT", &slot, "100"];
    let keys: Vec<String> = from.ask(&words).await;
    for key in &keys {
        let words = ["MIGRATE", "127.0.0.1", &port, key, "0", "5000"];
        let _: String = from.ask(&words).await;
        sleep(pause).await;
    }
    keys.len()
}

async fn key_by_key(release: Release) {
    let trial = Trial::begin("F18 key by key", release).await;
    let [from, to] = [trial.client(0).await, trial.client(1).await];
    let names = [trial.name(0).await, trial.name(1).await];
    let port = trial.cluster.servers[1].port;
    set_slots(&to, "IMPORTING", &names[0]).await;
    set_slots(&from, "MIGRATING", &names[1]).await;
    // Half of the slots, slowly; then nothing for long; then the rest.
    for slot in 0..MOVED / 2 {
        move_keys(&from, port, slot, Duration::from_millis(scaled(4, 20))).await;
    }
    sleep(Duration::from_secs(scaled(1, 10))).await;
    for slot in 0..MOVED {
        while move_keys(&from, port, slot, Duration::from_millis(1)).await > 0 {}
    }
    let third = trial.client(2).await;
    for client in [&to, &from, &third] {
        set_slots(client, "NODE", &names[1]).await;
    }
    trial.end(Duration::ZERO).await;
}

async fn reshard(trial: &Trial, to: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("target/redis-servers/redis-cli");
    assert!(program.exists(), "no redis-cli: `./test` installs it");
    let first = format!("127.0.0.1:{}", trial.cluster.servers[0].port);
    let from = trial.name(0).await;
    let count = MOVED.to_string();
    let arguments = [
        "--cluster",
        "reshard",
        &first,
        "--cluster-from",
        &from,
        "--cluster-to",
        to,
        "--cluster-slots",
        &count,
        "--cluster-yes",
    ];
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !said.contains("[ERR]"), "{said}");
}

/// The usual way to grow: a server that is new and empty gets slots.
async fn a_newcomer_gets_slots(release: Release) {
    let trial = Trial::begin("F18 redis-cli's reshard to a newcomer", release).await;
    let newcomer = trial.newcomer().await;
    let name: String = newcomer.client().await.ask(&["CLUSTER", "MYID"]).await;
    reshard(&trial, &name).await;
    trial.end(Duration::ZERO).await;
}

/// Has a replica promoted, and gives how long there was no master.
async fn promoted(replica: &Client, since: Instant) -> Duration {
    loop {
        let info: String = replica.ask(&["INFO", "replication"]).await;
        if info.contains("role:master") {
            return since.elapsed();
        }
        assert!(since.elapsed() < Duration::from_secs(20), "no new master");
        sleep(Duration::from_millis(5)).await;
    }
}

async fn a_replica_is_promoted(release: Release) {
    let trial = Trial::begin("F18 a replica is promoted", release).await;
    let replica = trial.replica().await;
    let client = replica.client().await;
    let since = Instant::now();
    let () = client.ask(&["CLUSTER", "FAILOVER"]).await;
    let took = promoted(&client, since).await;
    sleep(Duration::from_secs(scaled(1, 5))).await;
    // And back, which the replica does without its master's consent: what was answered just now
    // may be lost, so nothing is.
    trial.crowd.only_check(true).await;
    let back = trial.client(0).await;
    eventually("the old master to be a replica in step", async || {
        let info: String = back.ask(&["INFO", "replication"]).await;
        info.contains("role:slave") && info.contains("master_link_status:up")
    })
    .await;
    let since = Instant::now();
    let () = back.ask(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await;
    let took = took.max(promoted(&back, since).await);
    trial.crowd.only_check(false).await;
    sleep(Duration::from_secs(scaled(1, 5))).await;
    trial.end(took).await;
}

async fn a_master_is_killed(release: Release) {
    let trial = Trial::begin("F18 a master is killed", release).await;
    let replica = trial.replica().await;
    let client = replica.client().await;
    trial.crowd.only_check(true).await;
    let since = Instant::now();
    trial.cluster.servers[0].kill();
    trial.crowd.only_check(false).await;
    let took = promoted(&client, since).await;
    sleep(Duration::from_secs(scaled(2, 5))).await;
    trial.end(took).await;
}

/// Valkey's own way: all slots at once, from one moment to the next.
async fn atomic(release: Release) {
    let trial = Trial::begin("F18 atomic migration", release).await;
    let (from, to) = (trial.client(0).await, trial.name(1).await);
    let last = (MOVED - 1).to_string();
    let words = [
        "CLUSTER",
        "MIGRATESLOTS",
        "SLOTSRANGE",
        "0",
        &last,
        "NODE",
        &to,
    ];
    let () = from.ask(&words).await;
    eventually("the slots to have moved", async || {
        let nodes: String = from.ask(&["CLUSTER", "NODES"]).await;
        let own = nodes.lines().find(|line| line.contains("myself")).unwrap();
        own.contains(&format!(" {MOVED}-"))
    })
    .await;
    trial.end(Duration::ZERO).await;
}

const CLASSIC: [Release; 4] = Release::ALL;

macro_rules! on_releases {
    ($($test:ident: $run:ident on $short:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "takes its time: ./test runs it"]
        async fn $test() {
            for release in scaled(&$short[..], &CLASSIC[..]) {
                $run(*release).await;
            }
        })*
    };
}

on_releases! {
    a_slot_that_moves_key_by_key: key_by_key on [Release::Redis6_2_5];
    a_server_that_is_new_gets_slots: a_newcomer_gets_slots on [Release::System];
    a_replica_that_is_promoted: a_replica_is_promoted on [Release::Redis8_2_3];
    a_master_that_is_killed: a_master_is_killed on [Release::Valkey9_1_2];
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn slots_that_move_at_once() {
    atomic(Release::Valkey9_1_2).await;
}
