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
use crate::support::redis::{
    Client, RedisCluster, RedisServer, Release, eventually, in_step, replicated,
};

/// The slots that move: the first ones of the first server.
const MOVED: u16 = 600;
const USERS: usize = 24;
/// How much longer than without a master its users may get 503: the breaker lets somebody try at the
/// latest after 600 ms, who may take a deadline of 250 ms.
const NOTICED_WITHIN: Duration = Duration::from_secs(1);
/// The longest that a user may get 503 where there is always a master: two answers that are late on a
/// busy machine. Logins that waited until the slots have moved would get 503 for more than twice as long.
const LATE: Duration = Duration::from_millis(500);

/// Two nodes on a Cluster, and a crowd whose keys are in the slots that move.
struct Trial {
    scenario: Scenario,
    cluster: RedisCluster,
    release: Release,
    fleet: Arc<Fleet>,
    crowd: Crowd,
    slots: Vec<u16>,
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
        let (users, slots) = users(&cluster.servers[0].client().await).await;
        let crowd = Crowd::of(&fleet, &users, scenario.dice);
        sleep(Duration::from_secs(1)).await;
        Self {
            scenario,
            cluster,
            release,
            fleet,
            crowd,
            slots,
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
        report.has_done_everything(5);
        let allowed = match without_master {
            Duration::ZERO => within(LATE),
            without_master => without_master + within(NOTICED_WITHIN),
        };
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
        in_step(&client).await;
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
async fn users(client: &Client) -> (Vec<String>, Vec<u16>) {
    let fake = FakeWeChat::start().await.unwrap();
    let wechat = WeChat::new(fake.appid(), fake.secret()).with_base_url(fake.base_url());
    let wechat = wechat.unwrap();
    let (mut users, mut slots) = (Vec::new(), Vec::new());
    for number in 0..10_000 {
        let code = format!("user-{number}:1");
        let request = LoginRequest::new(fake.appid(), &code);
        let exchanged = wechat.exchange(request).await.unwrap();
        let bucket = u16::from_be_bytes(exchanged.identity().bucket());
        let slot = ["CLUSTER", "KEYSLOT", &format!("{bucket:04x}")];
        let slot = client.ask::<u16>(&slot).await;
        if slot < MOVED && !slots.contains(&slot) {
            users.push(format!("user-{number}"));
            slots.push(slot);
        }
        if users.len() == USERS {
            break;
        }
    }
    (users, slots)
}

async fn set_slots(client: &Client, slots: &[u16], state: &str, of: &str) {
    for slot in slots {
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

/// The classic way by hand: slowly, interrupted for long, and finished.
async fn move_key_by_key(trial: &Trial, slots: &[u16]) {
    let [from, to, third] = [0, 1, 2].map(|server| trial.client(server));
    let [from, to, third] = [from.await, to.await, third.await];
    let names = [trial.name(0).await, trial.name(1).await];
    let port = trial.cluster.servers[1].port;
    set_slots(&to, slots, "IMPORTING", &names[0]).await;
    set_slots(&from, slots, "MIGRATING", &names[1]).await;
    for slot in &slots[..slots.len() / 2] {
        move_keys(&from, port, *slot, Duration::from_millis(scaled(4, 20))).await;
    }
    sleep(Duration::from_secs(scaled(1, 10))).await;
    for slot in slots {
        while move_keys(&from, port, *slot, Duration::from_millis(1)).await > 0 {}
    }
    for client in [&to, &from, &third] {
        set_slots(client, slots, "NODE", &names[1]).await;
    }
}

/// Half of the users move to a server that has slots, by hand; the others to one that is new and empty,
/// by redis-cli.
async fn slots_move(release: Release) {
    let trial = Trial::begin("F18 slots that move", release).await;
    move_key_by_key(&trial, &trial.slots[..USERS / 2]).await;
    let newcomer = trial.newcomer().await;
    let name: String = newcomer.client().await.ask(&["CLUSTER", "MYID"]).await;
    reshard(&trial, &name).await;
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

/// A replica takes its master's place with its consent; then it dies, and the old master takes its place.
async fn masters_change(release: Release) {
    let trial = Trial::begin("F18 masters that change", release).await;
    let (old, replica) = (&trial.cluster.servers[0], trial.replica().await);
    // By consent Redis 6.2.5 takes no writes for many seconds, and often never comes to the end of it.
    let (master, next, took) = match release {
        Release::Redis6_2_5 => (old, &replica, Duration::ZERO),
        _ => (&replica, old, hand_over(old, &replica).await),
    };
    sleep(Duration::from_secs(scaled(1, 5))).await;

    // What a master has acknowledged last ends with it, so there is nothing of that.
    trial.crowd.only_check(true).await;
    let next = next.client().await;
    replicated(&master.client().await, &next).await;
    let since = Instant::now();
    master.kill();
    trial.crowd.only_check(false).await;
    let took = took.max(promoted(&next, since).await);
    sleep(Duration::from_secs(scaled(2, 5))).await;
    trial.end(took).await;
}

/// Gives how long it took until the replica was the master and the master its replica.
async fn hand_over(master: &RedisServer, replica: &RedisServer) -> Duration {
    let client = replica.client().await;
    let since = Instant::now();
    let () = client.ask(&["CLUSTER", "FAILOVER"]).await;
    let took = promoted(&client, since).await;
    in_step(&master.client().await).await;
    took
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

async fn on(short: Release, run: impl AsyncFn(Release)) {
    for release in scaled(vec![short], Release::ALL.to_vec()) {
        run(release).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn slots_that_move_one_by_one() {
    on(Release::Redis6_2_5, slots_move).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn masters_that_change_and_die() {
    on(Release::Redis8_2_3, masters_change).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time: ./test runs it"]
async fn slots_that_move_at_once() {
    atomic(Release::Valkey9_1_2).await;
}
