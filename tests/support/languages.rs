//! Clients in other languages: what `./test` has installed, and programs that tell what they understood.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::case::Headers;
use super::grpc_golden::Golden;
use super::http::Server;

/// The kinds of calls that a client makes.
pub const KINDS: [&str; 3] = ["unary", "streaming", "both ways"];

/// Where a client is to call, and what to send along.
pub fn target(server: &Server, headers: &Headers) -> Value {
    let target = server.url("").replace("http://", "");
    json!({ "target": target, "metadata": headers })
}

/// Google's library in Python.
pub fn python() -> Command {
    python_program("client.py")
}

/// Connect's libraries in JavaScript.
pub fn node() -> Command {
    node_program("client.cjs")
}

/// A program in Python, with the packages of `tests/python`.
pub fn python_program(name: &str) -> Command {
    let mut program = Command::new(installed("PYTHON", "target/python/bin/python"));
    program.arg(folder("tests/python").join(name));
    program
}

/// A program in JavaScript, with the packages of `tests/node`.
pub fn node_program(name: &str) -> Command {
    let mut program = Command::new("node");
    program.arg(folder("tests/node").join(name));
    program.env(
        "NODE_PATH",
        installed("NODE_MODULES", "target/node/node_modules"),
    );
    program
}

/// What a client understood of each target, over the transports that it has a choice of.
pub async fn answers_of(client: Command, transports: &[&str], targets: &[Value]) -> Vec<Value> {
    let descriptors = [
        account_proto::FILE_DESCRIPTOR_SET,
        tonic_types::pb::FILE_DESCRIPTOR_SET,
    ];
    let descriptors = descriptors.map(|set| STANDARD.encode(set));
    let order = json!({ "descriptors": descriptors, "transports": transports, "targets": targets });
    let answers = answers_to(client, &order).await;
    assert_eq!(answers.len(), targets.len());
    answers
}

/// What a program answers to what it is given.
pub async fn answers_to(mut program: Command, order: &Value) -> Vec<Value> {
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut program = program.kill_on_drop(true).spawn().unwrap();
    let mut stdin = program.stdin.take().unwrap();
    stdin.write_all(order.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = program.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a client should understand of a refusal.
pub fn refused(row: &Golden) -> Value {
    let info = json!([row.reason, "tower-wx-session", { "action": row.action }]);
    let mut status = json!({ "code": row.code, "message": row.message, "info": info });
    if let Some(seconds) = row.retry_after {
        status["retry"] = json!([seconds, 0]);
    }
    status
}

/// What a client with a live session should understand of a kind of call.
pub fn passed(kind: &str) -> Value {
    match kind {
        "unary" => json!({ "replies": ["alice"] }),
        "streaming" => json!({ "replies": ["alice", "alice"] }),
        _ => json!({ "replies": ["first", "second"] }),
    }
}

/// A path in the workspace, of which this may be a member.
fn folder(path: &str) -> PathBuf {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let workspace = folders.find(|folder| folder.join("Cargo.lock").exists());
    workspace.unwrap().join(path)
}

/// An environment variable, or what `./test` has installed.
fn installed(variable: &str, path: &str) -> OsString {
    let installed = env::var_os(variable).unwrap_or_else(|| folder(path).into());
    assert!(
        Path::new(&installed).exists(),
        "{} is missing: run ./test once, which installs it, or set {variable}",
        installed.display(),
    );
    installed
}
