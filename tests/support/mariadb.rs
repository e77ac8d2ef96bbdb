//! Real MariaDB servers: processes of their own on free ports, which end with the test.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tokio::time::sleep;
use tower_wx_session::store::MySqlStore;

use super::free_port::free_port;

/// The longest that a server takes to do what it is asked for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Who runs the servers if the test runs as root, whom they refuse: `nobody`.
const NOBODY: u32 = 65_534;
/// What has its files small.
const SMALL: [&str; 4] = [
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
    "--innodb-data-file-path=ibdata1:12M:autoextend",
    "--performance-schema=off",
];

/// One server, with a folder of its own.
pub struct MariaDb {
    pub port: u16,
    directory: PathBuf,
    settings: Vec<String>,
    child: Mutex<Option<Child>>,
}

impl MariaDb {
    /// A server with nothing but defaults.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with settings, such as `max-connections=20`.
    pub async fn start_with(settings: &[&str]) -> Self {
        let (directory, template) = (directory(), template());
        let mut copy = as_nobody(Command::new("cp"));
        run(copy
            .args(["-a", "--sparse=always"])
            .arg(template)
            .arg(directory.join("data")));
        let server = Self {
            port: free_port(),
            directory,
            settings: settings.iter().map(ToString::to_string).collect(),
            child: Mutex::new(None),
        };
        server.restart().await;
        server
    }

    /// One that several tests share, each in a [`database`](Self::database) of its own. Nobody kills it,
    /// so it need not wait for the disk.
    pub async fn shared() -> Arc<Self> {
        static SHARED: tokio::sync::Mutex<Weak<MariaDb>> =
            tokio::sync::Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let settings = ["innodb-flush-log-at-trx-commit=0", "max-connections=1000"];
        let server = Arc::new(Self::start_with(&settings).await);
        *shared = Arc::downgrade(&server);
        server
    }

    /// Starts it on the same port, with what has reached its disk.
    pub async fn restart(&self) {
        self.restart_with(&[]).await;
    }

    /// The same with more settings for this time.
    pub async fn restart_with(&self, settings: &[&str]) {
        self.kill();
        self.spawn(settings);
        self.answers().await;
    }

    fn spawn(&self, more: &[&str]) {
        let log = File::create(self.directory.join("log")).expect("a log");
        let mut command = as_nobody(Command::new(program()));
        let path = |name: &str| self.directory.join(name).display().to_string();
        command
            .arg("--no-defaults")
            .args(SMALL)
            .arg(format!("--datadir={}", path("data")))
            .arg(format!("--socket={}", path("socket")))
            .arg(format!("--pid-file={}", path("pid")))
            .arg(format!("--port={}", self.port))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve"]);
        let settings = self.settings.iter().map(String::as_str);
        for setting in settings.chain(more.iter().copied()) {
            command.arg(format!("--{setting}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(log).spawn().expect("mariadbd starts");
        *self.child.lock().unwrap() = Some(child);
    }

    async fn answers(&self) {
        let start = Instant::now();
        while let Err(error) = Conn::from_url(self.url_of("mysql")).await {
            assert!(start.elapsed() < PATIENCE, "{error}: {}", self.log());
            sleep(Duration::from_millis(20)).await;
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
        run(Command::new("kill").args([signal, &pid]));
    }

    /// The URL of a database for `root`, who has no password.
    pub fn url_of(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }

    /// An empty database of the test's own.
    pub async fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let create = format!("CREATE DATABASE {name}");
        self.client().await.query_drop(create).await.unwrap();
        self.url_of(&name)
    }

    /// A connection of the test's own.
    pub async fn client(&self) -> Conn {
        client(&self.url_of("mysql")).await
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A connection that is not set up in any way.
pub async fn client(url: &str) -> Conn {
    let options = mysql_async::Opts::from_url(url).unwrap();
    let options = OptsBuilder::from_opts(options).prefer_socket(false);
    Conn::new(options).await.unwrap()
}

pub fn store(url: &str) -> MySqlStore {
    MySqlStore::builder(url).build().unwrap()
}

fn program() -> String {
    let named = std::env::var("MARIADBD").ok();
    let usual = ["/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd", "mariadbd"].map(str::to_owned);
    let mut programs = named.into_iter().chain(usual);
    let found = programs.find(|program| {
        let asked = Command::new(program).arg("--version").output();
        asked.is_ok_and(|answer| answer.status.success())
    });
    found.expect("these tests need MariaDB: install it, or name mariadbd in MARIADBD")
}

/// A data folder without databases. Making one takes seconds, so that it stays for later runs.
fn template() -> PathBuf {
    static MADE: Mutex<()> = Mutex::new(());
    let _made = MADE.lock().unwrap();
    let version = Command::new(program()).arg("--version").output().unwrap();
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let version = version.split_whitespace().nth(2).unwrap_or("unknown");
    let template = std::env::temp_dir().join(format!("tower-wx-session-mariadb-{version}"));
    if !template.exists() {
        let making = directory();
        install(&making.join("data"));
        // Another process may have been faster.
        let _ = fs::rename(making.join("data"), &template);
        let _ = fs::remove_dir_all(making);
    }
    template
}

fn install(data: &Path) {
    let mut install = as_nobody(Command::new("mariadb-install-db"));
    install
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .args([
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ])
        .args(SMALL);
    run(&mut install);
}

/// A directory of this test's own.
fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tower-wx-session-mariadb-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).expect("a directory to work in");
    if is_root() {
        chown(&directory, Some(NOBODY), Some(NOBODY)).expect("chown");
    }
    directory
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}

fn as_nobody(mut command: Command) -> Command {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("a program to run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
