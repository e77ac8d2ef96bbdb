//! Real PostgreSQL servers: processes of their own on free ports, which end with the test.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

use super::eventually::eventually;
use super::free_port::free_port;

/// The longest that a server takes to do what it is asked for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Who runs the servers if the test runs as root, whom they refuse: `nobody`.
const NOBODY: u32 = 65_534;

/// One server, with a folder of its own.
pub struct PostgresServer {
    pub port: u16,
    directory: PathBuf,
    settings: Vec<String>,
    child: Mutex<Option<Child>>,
    /// Stays until its last copy has ended.
    _template: Arc<Template>,
}

/// An empty database, made once and copied for each server.
struct Template(PathBuf);

impl Template {
    fn get() -> Arc<Self> {
        static TEMPLATE: Mutex<Weak<Template>> = Mutex::new(Weak::new());
        let mut template = TEMPLATE.lock().unwrap();
        template.upgrade().unwrap_or_else(|| {
            let made = Arc::new(Self::make());
            *template = Arc::downgrade(&made);
            made
        })
    }

    fn make() -> Self {
        let template = Self(directory());
        let mut initdb = program("initdb");
        initdb.arg("-D").arg(template.0.join("data")).args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
            "--wal-segsize=1",
        ]);
        run(&mut initdb);
        template
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl PostgresServer {
    /// A server with nothing but defaults.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with settings, such as `max_connections=20`.
    pub async fn start_with(settings: &[&str]) -> Self {
        Self::start_with_files(settings, &[]).await
    }

    /// The same with files in its data folder, such as `pg_hba.conf` or `server.key`.
    pub async fn start_with_files(settings: &[&str], files: &[(&str, &str)]) -> Self {
        let (directory, template) = (directory(), Template::get());
        let mut copy = as_nobody(Command::new("cp"));
        run(copy.arg("-a").arg(template.0.join("data")).arg(&directory));
        for (name, text) in files {
            let file = directory.join("data").join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            give_to_nobody(&file);
        }
        Self::start_in(directory, settings, template).await
    }

    /// One that several tests share, each in a [`database`](Self::database) of its own. Nobody kills it,
    /// so it need not wait for the disk.
    pub async fn shared() -> Arc<Self> {
        static SHARED: tokio::sync::Mutex<Weak<PostgresServer>> =
            tokio::sync::Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let settings = ["fsync=off", "max_connections=500"];
        let server = Arc::new(Self::start_with(&settings).await);
        *shared = Arc::downgrade(&server);
        server
    }

    async fn start_in(directory: PathBuf, settings: &[&str], template: Arc<Template>) -> Self {
        let server = Self {
            port: free_port(),
            directory,
            settings: settings.iter().map(ToString::to_string).collect(),
            child: Mutex::new(None),
            _template: template,
        };
        server.restart().await;
        server
    }

    /// Starts it on the same port, with what has reached its disk.
    pub async fn restart(&self) {
        self.kill();
        self.spawn();
        self.answers().await;
    }

    fn spawn(&self) {
        let log = File::create(self.directory.join("log")).expect("a log");
        let mut command = program("postgres");
        command
            .arg("-D")
            .arg(self.directory.join("data"))
            .args(["-p", &self.port.to_string()])
            .arg("-c")
            .arg(format!(
                "unix_socket_directories={}",
                self.directory.display()
            ));
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(log).spawn().expect("postgres starts");
        *self.child.lock().unwrap() = Some(child);
    }

    async fn answers(&self) {
        let start = Instant::now();
        while let Err(error) = tokio_postgres::connect(&self.url(), NoTls).await {
            // Whatever it says but that it is starting: it wants a password, or TLS.
            let says = error
                .as_db_error()
                .map(tokio_postgres::error::DbError::message);
            if says.is_some_and(|says| !says.starts_with("the database system is")) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{error}: {}", self.log());
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// `kill -9` of all its processes, as if the machine had lost its power.
    pub fn kill(&self) {
        let Some(mut child) = self.child.lock().unwrap().take() else {
            return;
        };
        // Stopped first: none of them starts another, or learns that its parent has died.
        let family = stop(child.id());
        signal("-KILL", &family);
        let _ = child.wait();
        let start = Instant::now();
        while family.iter().any(|pid| is_alive(*pid)) {
            assert!(start.elapsed() < PATIENCE, "processes that do not die");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Has it accept and never answer.
    pub fn pause(&self) {
        stop(self.pid());
    }

    pub fn resume(&self) {
        signal("-CONT", &family(self.pid()));
    }

    pub fn pid(&self) -> u32 {
        let child = self.child.lock().unwrap();
        child.as_ref().expect("it runs").id()
    }

    /// Has it read its files again.
    pub fn reload(&self) {
        signal("-HUP", &[self.pid()]);
    }

    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of an empty database of the test's own.
    pub async fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let create = format!("CREATE DATABASE {name}");
        self.client().await.batch_execute(&create).await.unwrap();
        self.url_of(&name)
    }

    /// A connection of the test's own.
    pub async fn client(&self) -> Client {
        client(&self.url()).await
    }

    /// Where its sockets and its data are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A standby that follows this server, in step with it.
    pub async fn standby(&self, name: &str) -> Self {
        let directory = directory();
        let from = format!(
            "host=127.0.0.1 port={} user=postgres application_name={name}",
            self.port
        );
        let mut copy = program("pg_basebackup");
        copy.args([
            "-R",
            "--checkpoint=fast",
            "--no-sync",
            "--wal-method=stream",
            "-d",
            &from,
        ]);
        run(copy.arg("-D").arg(directory.join("data")));
        let settings: Vec<_> = self.settings.iter().map(String::as_str).collect();
        let standby = Self::start_in(directory, &settings, Template::get()).await;
        let primary = self.client().await;
        eventually("the standby to follow", async || {
            let follows = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = $1";
            !primary.query(follows, &[&name]).await.unwrap().is_empty()
        })
        .await;
        standby
    }

    /// Makes a primary of a standby.
    pub async fn promote(&self) {
        let client = self.client().await;
        let promoted = client.query_one("SELECT pg_promote(true, 20)", &[]).await;
        assert!(promoted.unwrap().get::<_, bool>(0), "{}", self.log());
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

pub async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A program of PostgreSQL's, run by somebody whom it takes.
fn program(name: &str) -> Command {
    as_nobody(Command::new(programs().join(name)))
}

/// `POSTGRES_BIN`, or where systems have it.
fn programs() -> PathBuf {
    if let Ok(folder) = std::env::var("POSTGRES_BIN") {
        return folder.into();
    }
    let of_debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut releases: Vec<_> = of_debian
        .flatten()
        .map(|release| release.path().join("bin"))
        .collect();
    releases.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).collect::<Vec<_>>();
    let mut found = releases.into_iter().rev().chain(in_path);
    found.find(|folder| folder.join("initdb").exists()).expect(
        "these tests need PostgreSQL: install it, or name its folder of `initdb` in POSTGRES_BIN",
    )
}

/// No server of a database runs as root.
pub fn as_nobody(mut command: Command) -> Command {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    // Files of others are not ours to look for, wherever the test runs.
    command.current_dir(std::env::temp_dir());
    command
}

fn give_to_nobody(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn is_root() -> bool {
    // Whoever runs the test made it.
    static OWNER: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| {
        let probe =
            std::env::temp_dir().join(format!("tower-wx-session-owner-{}", std::process::id()));
        fs::write(&probe, "").unwrap();
        let owner = fs::metadata(&probe).unwrap().uid();
        fs::remove_file(&probe).unwrap();
        owner
    });
    *OWNER == 0
}

/// A directory of this test's own, for whoever runs the server.
pub fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tower-wx-session-postgres-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).expect("a directory to work in");
    give_to_nobody(&directory);
    directory
}

fn run(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let says = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {says}");
}

/// Stops a process and all that it has started, and returns them.
fn stop(pid: u32) -> Vec<u32> {
    // Itself first, so that it starts no more of them.
    signal("-STOP", &[pid]);
    let family = family(pid);
    signal("-STOP", &family);
    family
}

/// Sends a signal to processes.
pub fn signal(signal: &str, pids: &[u32]) {
    let mut kill = Command::new("kill");
    kill.arg(signal).args(pids.iter().map(ToString::to_string));
    // One of them may have ended by itself meanwhile.
    let _ = kill.stderr(Stdio::null()).status().expect("kill");
}

/// A process and its children.
fn family(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("these tests need /proc");
    let pids = all
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children = pids.filter(|child| stat(*child).is_some_and(|(_, parent)| parent == pid));
    [pid].into_iter().chain(children).collect()
}

fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

/// The state of a process, and its parent. The name between, in brackets, may hold anything.
fn stat(pid: u32) -> Option<(String, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = text.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}
