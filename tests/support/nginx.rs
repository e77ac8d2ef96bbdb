//! A real nginx: a process of its own on a free port, which ends with the test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest that it takes to start.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Nginx {
    child: Child,
    directory: PathBuf,
    pub port: u16,
}

impl Nginx {
    /// Starts `NGINX`, or `nginx` from the path. `http` goes into the block of that name, where
    /// `PORT` stands for the port to listen on.
    pub fn start(http: &str) -> Self {
        let directory = directory();
        let port = free_port();
        let settings = directory.join("nginx.conf");
        fs::write(&settings, configuration(&directory, http, port)).unwrap();
        let program = std::env::var("NGINX").unwrap_or_else(|_| "nginx".to_owned());
        let child = Command::new(program)
            .arg("-p")
            .arg(&directory)
            .arg("-c")
            .arg(&settings)
            .args(["-e", "error.log"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need nginx: install it, or name it in NGINX");
        let nginx = Self {
            child,
            directory,
            port,
        };
        nginx.answers();
        nginx
    }

    fn answers(&self) {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "{}", self.log());
            sleep(Duration::from_millis(10));
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// One process, in the foreground, with every file in `directory`.
fn configuration(directory: &Path, http: &str, port: u16) -> String {
    let folder = |name: &str| {
        let path = directory.join(name);
        format!("{name}_temp_path {};\n", path.display())
    };
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(folder);
    let (folders, http) = (folders.concat(), http.replace("PORT", &port.to_string()));
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\n\
         http {{\naccess_log off;\n{folders}{http}\n}}\n"
    )
}

fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tower-wx-session-nginx-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}
