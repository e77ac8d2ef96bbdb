use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io};

use tokio::time::sleep;

use super::unprivileged;

/// The longest that a server takes to start.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// A database server on a port of its own, in a folder of its own, which end with this.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    folder: PathBuf,
    /// What has it end at once, and its own processes with it.
    signal: &'static str,
    child: Option<Child>,
}

impl Server {
    /// A server that is not started yet.
    pub(crate) fn new(name: &str, signal: &'static str) -> io::Result<Self> {
        let folder = env::temp_dir().join(format!("peers-{name}-{}", std::process::id()));
        unprivileged::make_folder(&folder)?;
        Ok(Self {
            port: TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port(),
            folder,
            signal,
            child: None,
        })
    }

    /// Where its data are.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Runs a program to its end.
    pub(crate) fn prepare<const N: usize>(
        &self,
        program: &Path,
        arguments: [&str; N],
    ) -> io::Result<()> {
        let mut command = unprivileged::command(program, &self.folder)?;
        let output = command.args(arguments).stdin(Stdio::null()).output()?;
        match output.status.success() {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "{}: {}",
                program.display(),
                String::from_utf8_lossy(&output.stderr)
            ))),
        }
    }

    /// Starts the program that stays.
    pub(crate) fn start<const N: usize>(
        &mut self,
        program: &Path,
        arguments: [&str; N],
    ) -> io::Result<()> {
        let log = File::create(self.folder.join("log"))?;
        let mut command = unprivileged::command(program, &self.folder)?;
        command.args(arguments).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// Waits until something can be done with it.
    pub(crate) async fn until<T, E: std::error::Error + 'static>(
        &self,
        attempt: impl AsyncFn() -> Result<T, E>,
    ) -> Result<T, Box<dyn std::error::Error>> {
        let start = Instant::now();
        loop {
            match attempt().await {
                Ok(done) => return Ok(done),
                Err(_) if start.elapsed() < PATIENCE => sleep(PAUSE).await,
                Err(error) => return Err(format!("{error}\n{}", self.log()).into()),
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let process = child.id().to_string();
            let told = Command::new("kill").args([self.signal, &process]).status();
            if !told.is_ok_and(|status| status.success()) {
                let _ = child.kill();
            }
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
