//! Real Redis servers: processes of their own on free ports, which end with the test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tower_wx_session::store::RedisStore;

pub use super::eventually::eventually;
pub use super::free_port::free_port;

/// The longest that a server takes to do what it is asked for.
const PATIENCE: Duration = Duration::from_secs(20);

/// One server.
pub struct RedisServer {
    pub port: u16,
    program: String,
    directory: PathBuf,
    arguments: Vec<String>,
    child: Mutex<Option<Child>>,
}

/// A release of Redis or Valkey that tests run on. `./test` installs those that are no program of the
/// system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The oldest that is supported, without TLS.
    Redis6_2_5,
    /// The one of this machine, with TLS: `REDIS_SERVER`, or the first of its names in the path.
    System,
    /// Without TLS.
    Redis8_2_3,
    /// The newest, without TLS.
    Valkey9_1_2,
}

impl Release {
    pub const ALL: [Self; 4] = [
        Self::Redis6_2_5,
        Self::System,
        Self::Redis8_2_3,
        Self::Valkey9_1_2,
    ];

    /// The program to start.
    fn program(self) -> String {
        let name = match self {
            Self::System => return program_of_the_system(),
            Self::Redis6_2_5 => "redis-6.2.5",
            Self::Redis8_2_3 => "redis-8.2.3",
            Self::Valkey9_1_2 => "valkey-9.1.2",
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let program = root.join("target/redis-servers").join(name);
        assert!(program.exists(), "no {name}: `./test` installs it");
        path(&program).to_owned()
    }
}

fn program_of_the_system() -> String {
    if let Ok(program) = std::env::var("REDIS_SERVER") {
        return program;
    }
    let known = ["redis-server", "valkey-server"];
    let found = known.into_iter().find(|name| {
        let asked = Command::new(name).arg("--version").output();
        asked.is_ok_and(|answer| answer.status.success())
    });
    found
        .expect("these tests need redis-server or valkey-server: install it, or name it in REDIS_SERVER")
        .to_owned()
}

/// A directory of this test's own.
pub fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tower-wx-session-redis-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).expect("a directory to work in");
    directory
}

impl RedisServer {
    /// A server with nothing but defaults.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with arguments as on the command line.
    pub async fn start_with(arguments: &[&str]) -> Self {
        Self::start_release(Release::System, arguments).await
    }

    /// The same of another release.
    pub async fn start_release(release: Release, arguments: &[&str]) -> Self {
        Self::start_in(release, directory(), free_port(), arguments).await
    }

    /// A server on a port that the arguments speak of.
    pub async fn start_on(port: u16, arguments: &[&str]) -> Self {
        Self::start_in(Release::System, directory(), port, arguments).await
    }

    async fn start_in(release: Release, directory: PathBuf, port: u16, arguments: &[&str]) -> Self {
        let server = Self {
            port,
            program: release.program(),
            directory,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            child: Mutex::new(None),
        };
        server.restart().await;
        server
    }

    /// Starts it on the same port, with nothing in it unless it saves.
    pub async fn restart(&self) {
        self.kill();
        let log = File::create(self.directory.join("log")).expect("a log");
        let port = self.port.to_string();
        let mut command = Command::new(&self.program);
        // A Sentinel takes its settings from the file that it is named first.
        let files = self
            .arguments
            .iter()
            .take_while(|argument| !argument.starts_with("--"));
        command.args(files);
        if !self
            .arguments
            .iter()
            .any(|argument| argument == "--tls-port")
        {
            command.args(["--port", port.as_str()]);
        }
        command
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--daemonize",
                "no",
                "--dir",
            ])
            .arg(&self.directory)
            .args(
                self.arguments
                    .iter()
                    .skip_while(|argument| !argument.starts_with("--")),
            )
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null());
        let child = command.spawn().expect("redis-server starts");
        *self.child.lock().unwrap() = Some(child);
        self.answers().await;
    }

    async fn answers(&self) {
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "{}", self.log());
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// `kill -9`.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Has it accept and never answer.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let child = self.child.lock().unwrap();
        let pid = child.as_ref().expect("it runs").id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.expect("kill").success());
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn store(&self) -> RedisStore {
        store(&self.url())
    }

    /// A connection of the test's own.
    pub async fn client(&self) -> Client {
        client(&self.url()).await
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

pub fn store(url: &str) -> RedisStore {
    RedisStore::builder(url).build().unwrap()
}

/// Asks a server whatever the test wants to know.
#[derive(Clone)]
pub struct Client(redis::aio::MultiplexedConnection);

pub async fn client(url: &str) -> Client {
    let client = redis::Client::open(url).unwrap();
    let patient = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let start = Instant::now();
    loop {
        // A Sentinel ends the connections of whom it promotes, also those that are being made.
        match client
            .get_multiplexed_async_connection_with_config(&patient)
            .await
        {
            Ok(connection) => return Client(connection),
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
        sleep(Duration::from_millis(10)).await;
    }
}

impl Client {
    /// Sends the words of a command.
    pub async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).await.unwrap()
    }

    pub async fn try_ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.0.clone()).await
    }

    pub async fn set(&self, key: &str, value: &[u8]) {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("KEEPTTL");
        let () = command.query_async(&mut self.0.clone()).await.unwrap();
    }

    pub async fn keys(&self) -> Vec<String> {
        self.ask(&["KEYS", "*"]).await
    }
}

/// A Cluster of three masters, of which the first may have a replica.
pub struct RedisCluster {
    pub servers: Vec<RedisServer>,
    pub replica: Option<RedisServer>,
}

/// What a server of a Cluster is started with.
const IN_CLUSTER: [&str; 4] = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];

impl RedisCluster {
    pub async fn start() -> Self {
        Self::start_release(Release::System).await
    }

    pub async fn start_release(release: Release) -> Self {
        Self::start_release_with(release, &[]).await
    }

    /// With more arguments for each of its servers.
    pub async fn start_release_with(release: Release, more: &[&str]) -> Self {
        let mut servers = Vec::new();
        for _ in 0..3 {
            let arguments = [&IN_CLUSTER[..], more].concat();
            servers.push(RedisServer::start_release(release, &arguments).await);
        }
        let cluster = Self {
            servers,
            replica: None,
        };
        cluster.join().await;
        cluster
    }

    /// One with a replica that takes the place of the first master.
    pub async fn start_with_replica(release: Release) -> Self {
        let mut cluster = Self::start_release(release).await;
        let replica = RedisServer::start_release(release, &IN_CLUSTER).await;
        let (client, first) = (replica.client().await, &cluster.servers[0]);
        let port = first.port.to_string();
        let () = client.ask(&["CLUSTER", "MEET", "127.0.0.1", &port]).await;
        let name: String = first.client().await.ask(&["CLUSTER", "MYID"]).await;
        eventually("the replica to know its master", async || {
            let words = ["CLUSTER", "REPLICATE", &name];
            client.try_ask::<()>(&words).await.is_ok()
        })
        .await;
        in_step(&client).await;
        cluster.serve_what_there_is().await;
        // Those who do not know each other do not vote.
        for server in cluster.servers.iter().chain([&replica]) {
            let client = server.client().await;
            eventually("all servers to know each other", async || {
                let nodes: String = client.ask(&["CLUSTER", "NODES"]).await;
                nodes.lines().count() == 4 && nodes.contains("slave")
            })
            .await;
        }
        cluster.replica = Some(replica);
        cluster
    }

    /// Has each master serve its users while another one is dead.
    pub async fn serve_what_there_is(&self) {
        for server in &self.servers {
            let whole = ["CONFIG", "SET", "cluster-require-full-coverage", "no"];
            let () = server.client().await.ask(&whole).await;
        }
    }

    async fn join(&self) {
        let bounds = [0, 5461, 10_923, 16_384];
        for (number, server) in self.servers.iter().enumerate() {
            let client = server.client().await;
            let first = self.servers[0].port.to_string();
            let () = client.ask(&["CLUSTER", "MEET", "127.0.0.1", &first]).await;
            let slots: Vec<_> = (bounds[number]..bounds[number + 1])
                .map(|slot: u16| slot.to_string())
                .collect();
            let words = ["CLUSTER", "ADDSLOTS"].into_iter();
            let words: Vec<_> = words.chain(slots.iter().map(String::as_str)).collect();
            let () = client.ask(&words).await;
        }
        for server in &self.servers {
            let client = server.client().await;
            eventually("the Cluster to be whole", async || {
                let info: String = client.ask(&["CLUSTER", "INFO"]).await;
                info.contains("cluster_state:ok") && info.contains("cluster_size:3")
            })
            .await;
        }
    }

    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.servers[0].port)
    }

    pub fn store(&self) -> RedisStore {
        store(&self.url())
    }
}

/// A master, a replica, and a Sentinel that makes the one of the other.
pub struct RedisSentinel {
    pub master: RedisServer,
    pub replica: RedisServer,
    pub sentinel: RedisServer,
}

impl RedisSentinel {
    pub async fn start() -> Self {
        Self::start_release(Release::System).await
    }

    pub async fn start_release(release: Release) -> Self {
        Self::start_release_with(release, &[]).await
    }

    /// With more arguments for the servers that hold data.
    pub async fn start_release_with(release: Release, more: &[&str]) -> Self {
        let master = RedisServer::start_release(release, more).await;
        let port = master.port.to_string();
        let arguments = [&["--replicaof", "127.0.0.1", &port], more].concat();
        let replica = RedisServer::start_release(release, &arguments).await;
        in_step(&replica.client().await).await;
        let directory = directory();
        let file = directory.join("sentinel.conf");
        fs::write(&file, sentinel_settings(master.port)).unwrap();
        let arguments = [path(&file), "--sentinel"];
        let sentinel = RedisServer::start_in(release, directory, free_port(), &arguments).await;
        let watched = sentinel.client().await;
        eventually("the Sentinel to know the replica", async || {
            let info: String = watched.ask(&["INFO", "sentinel"]).await;
            info.contains("slaves=1")
        })
        .await;
        Self {
            master,
            replica,
            sentinel,
        }
    }

    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/sessions", self.sentinel.port)
    }

    pub fn store(&self) -> RedisStore {
        store(&self.url())
    }
}

/// Waits until a replica has what its master has.
pub async fn in_step(replica: &Client) {
    eventually("the replica to be in step", async || {
        let info: String = replica.ask(&["INFO", "replication"]).await;
        info.contains("role:slave") && info.contains("master_link_status:up")
    })
    .await;
}

/// Waits until a replica has all that its master has written by now.
pub async fn replicated(master: &Client, replica: &Client) {
    let written = offset(master, "master_repl_offset").await;
    eventually("the replica to have it all", async || {
        offset(replica, "slave_repl_offset").await >= written
    })
    .await;
}

async fn offset(client: &Client, name: &str) -> u64 {
    let info: String = client.ask(&["INFO", "replication"]).await;
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    let line = lines.find(|(key, _)| *key == name);
    line.unwrap().1.parse().unwrap()
}

fn sentinel_settings(master: u16) -> String {
    format!(
        "sentinel monitor sessions 127.0.0.1 {master} 1\n\
         sentinel down-after-milliseconds sessions 500\n\
         sentinel failover-timeout sessions 2000\n"
    )
}

pub fn path(path: &Path) -> &str {
    path.to_str().expect("a path of UTF-8")
}
