use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use crate::processor_time::processor_time;

/// The longest that a server takes to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A real Redis on a port of its own, which ends with this.
#[derive(Debug)]
pub(crate) struct RedisServer {
    port: u16,
    directory: PathBuf,
    arguments: &'static [&'static str],
    child: Option<Child>,
}

impl RedisServer {
    /// Starts `REDIS_SERVER`, or `redis-server` from the path, with arguments as on the command line.
    pub(crate) fn start(arguments: &'static [&'static str]) -> io::Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let directory = env::temp_dir().join(format!("peers-redis-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        let mut server = Self {
            port,
            directory,
            arguments,
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
            .args(["--save", "", "--dir"])
            .arg(&self.directory)
            .args(self.arguments);
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

    /// What it has had of the processor, as the kernel says for its main thread.
    pub(crate) fn processor_time(&self) -> io::Result<Duration> {
        processor_time(self.child.as_ref().map_or(0, Child::id))
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
