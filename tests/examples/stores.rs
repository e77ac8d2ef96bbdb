//! The example server with `STORE`.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;

use crate::support::process::{Program, command};
use crate::support::redis;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(redis::directory())
    }

    /// A file in it, as `STORE` names it.
    fn store(&self) -> String {
        format!("file:{}", self.0.join("sessions.redb").display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn start(store: &str) -> Program {
    Program::start("axum", &[("STORE", store)])
}

#[tokio::test]
async fn a_restart_on_a_file_logs_nobody_out() {
    let folder = Folder::new();
    let mut first = start(&folder.store());
    let (stays, goes) = (first.log_in("alice:1").await, first.log_in("bob:1").await);
    assert_eq!(first.send("POST", "/logout", &goes).await.0, 204);
    assert_eq!(first.terminate(), Some(0));

    let second = start(&folder.store());
    let (status, me) = second.send("GET", "/me", &stays).await;
    assert_eq!(status, 200, "{me}");
    let (status, refusal) = second.send("GET", "/me", &goes).await;
    assert_eq!(
        (status.as_u16(), &refusal["reason"]),
        (401, &"session_revoked".into())
    );
}

#[test]
fn a_second_server_on_the_same_file_says_so_and_ends() {
    let folder = Folder::new();
    let _first = start(&folder.store());
    let line = refused(&folder.store());
    assert!(line.contains("open already"), "{line}");
}

#[test]
fn a_store_that_cannot_be_is_refused_without_its_password() {
    for (store, says) in [
        ("floppy", "expected memory, file:PATH"),
        ("file:/no/such/folder/sessions.redb", "folder"),
        ("postgres://user:canary@host:port/db", ""),
        ("mysql://user:canary@host:port/db", ""),
        ("redis://user:canary@host:port", ""),
        ("mongodb://user:canary@host", "expected memory"),
        ("file://sessions.redb", "file:sessions.redb"),
    ] {
        let line = refused(store);
        assert!(line.contains(says), "{store}: {line}");
        assert!(!line.contains("canary"), "{store}: {line}");
    }
}

/// The one line with which a server ends that cannot have this store.
#[track_caller]
fn refused(store: &str) -> String {
    let mut command = command("axum", &[("STORE", store), ("RUST_LOG", "warn")]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{store}: {line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("STORE: "), "{line}");
    line
}
