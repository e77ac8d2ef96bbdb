use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, thread};

/// The longest that a server takes to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A real Redis on a port of its own, which writes down what it is told, and ends with this.
#[derive(Debug)]
pub(crate) struct RedisServer {
    port: u16,
    directory: PathBuf,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts `REDIS_SERVER`, or `redis-server` from the path.
    pub(crate) fn start() -> io::Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let directory = env::temp_dir().join(format!("peers-redis-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        let mut server = Self {
            port,
            directory,
            child: None,
        };
        server.restart()?;
        server.answers()?;
        Ok(server)
    }

    /// Starts it on what it has written down, and does not wait for it.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.kill();
        let program = env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command
            .args(["--save", "", "--appendonly", "yes", "--dir"])
            .arg(&self.directory);
        let log = File::create(self.directory.join("log"))?;
        command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null());
        self.child = Some(command.spawn()?);
        Ok(())
    }

    fn answers(&self) -> io::Result<()> {
        let start = Instant::now();
        loop {
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Err(_) if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(10)),
                connected => return connected.map(drop),
            }
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It has ended by itself if this fails.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
