//! A real PgBouncer in front of a PostgreSQL server, which ends with the test.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::free_port::free_port;
use super::postgres::{PostgresServer, as_nobody, directory, signal};

/// The longest that it takes to start.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct PgBouncer {
    port: u16,
    child: Child,
    directory: PathBuf,
}

impl PgBouncer {
    /// With `pool_mode`, such as `transaction`, and few connections to the server.
    pub async fn start(server: &PostgresServer, pool_mode: &str) -> Self {
        let (directory, port) = (directory(), free_port());
        let settings = directory.join("pgbouncer.ini");
        fs::write(&settings, configuration(server, pool_mode, port)).unwrap();
        let log = File::create(directory.join("log")).unwrap();
        let child = as_nobody(Command::new(program()))
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("these tests need PgBouncer: install it, or name it in PGBOUNCER");
        let bouncer = Self {
            port,
            child,
            directory,
        };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "{}", bouncer.log());
            sleep(Duration::from_millis(10)).await;
        }
        bouncer
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Has it accept and never answer.
    pub fn pause(&self) {
        signal("-STOP", &[self.child.id()]);
    }

    pub fn resume(&self) {
        signal("-CONT", &[self.child.id()]);
    }

    /// The same database as at this URL of the server, through here.
    pub fn url_of(&self, direct: &str) -> String {
        let (_, database) = direct.rsplit_once('/').unwrap();
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// `PGBOUNCER`, or the first of its name in the path; it may be where only root looks.
fn program() -> PathBuf {
    if let Ok(program) = std::env::var("PGBOUNCER") {
        return program.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut programs = folders.map(|folder| folder.join("pgbouncer"));
    let found = programs.find(|program| program.exists());
    found.expect("these tests need PgBouncer: install it, or name it in PGBOUNCER")
}

fn configuration(server: &PostgresServer, pool_mode: &str, port: u16) -> String {
    format!(
        "[databases]\n* = host=127.0.0.1 port={} user=postgres\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = any\npool_mode = {pool_mode}\nmax_client_conn = 500\ndefault_pool_size = 12\n",
        server.port
    )
}
