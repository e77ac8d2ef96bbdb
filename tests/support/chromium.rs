//! A real browser: a process of its own that opens one page, and ends with the test.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// What it writes to, so that nothing of the machine's user is touched, and nothing is left behind.
pub struct Chromium {
    child: Child,
    directory: PathBuf,
}

impl Chromium {
    /// Opens `url` in `CHROMIUM`, or in `chromium` from the path.
    pub fn open(url: &str) -> Self {
        Self::start(url, &[])
    }

    /// It takes commands by the DevTools protocol, too.
    pub fn with_devtools(url: &str) -> Self {
        Self::start(url, &["--remote-debugging-port=0"])
    }

    /// The port for commands, once it is known.
    pub fn devtools_port(&self) -> Option<u16> {
        let told = fs::read_to_string(self.directory.join("DevToolsActivePort")).ok()?;
        told.lines().next()?.parse().ok()
    }

    fn start(url: &str, arguments: &[&str]) -> Self {
        let directory = directory();
        let program = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let child = Command::new(program)
            // Its own sandbox does not start for root, nor in many containers.
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--no-proxy-server",
                "--disable-background-networking",
            ])
            .arg("--ignore-certificate-errors")
            .arg(format!("--user-data-dir={}", directory.display()))
            .args(arguments)
            .arg(url)
            .env("HOME", &directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need chromium: install it, or name it in CHROMIUM");
        Self { child, directory }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its own processes end a moment later, and write until then.
        for _ in 0..40 {
            if fs::remove_dir_all(&self.directory).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tower-wx-session-chromium-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).unwrap();
    directory
}
