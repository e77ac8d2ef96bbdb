//! Refusals as clients in other languages understand them: Google's library in Python, and Connect
//! in JavaScript, over gRPC and grpc-web. `./test` installs both.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::support::case::{Headers, bearer, bring_about};
use crate::support::grpc::{self, Accounts};
use crate::support::grpc_golden::{Golden, LAYER};
use crate::support::http::Server;
use crate::support::nodes::log_in;
use crate::support::world::{HOUR, World};

const KINDS: [&str; 3] = ["unary", "streaming", "both ways"];

/// A server for each refusal, and one for a live session.
struct Targets {
    rows: Vec<Option<&'static Golden>>,
    running: Vec<(World, Server)>,
    targets: Vec<Value>,
}

impl Targets {
    async fn start() -> Self {
        let rows: Vec<_> = LAYER.iter().map(Some).chain([None]).collect();
        let (mut running, mut targets) = (Vec::new(), Vec::new());
        for row in &rows {
            let world =
                World::with(|sessions| sessions.lifetime(3 * HOUR).sessions_per_user(1)).await;
            let headers: Headers = match row {
                Some(row) => bring_about(row.case, &world).await,
                None => bearer(&log_in(&world.sessions).await),
            };
            let server = grpc::start(world.layer(), &Accounts::default()).await;
            let target = server.url("").replace("http://", "");
            targets.push(json!({ "target": target, "metadata": headers }));
            running.push((world, server));
        }
        Self {
            rows,
            running,
            targets,
        }
    }

    /// What a client understood, beside what it should have.
    async fn answers_of(&self, client: Command) -> Vec<(Option<&'static Golden>, Value)> {
        assert_eq!(self.running.len(), self.targets.len());
        let descriptors = [
            account_proto::FILE_DESCRIPTOR_SET,
            tonic_types::pb::FILE_DESCRIPTOR_SET,
        ];
        let descriptors = descriptors.map(|set| STANDARD.encode(set));
        let order = json!({ "descriptors": descriptors, "targets": self.targets });
        let answers = run(client, &order).await;
        let answers = answers.as_array().unwrap().iter().cloned();
        assert_eq!(answers.len(), self.rows.len());
        self.rows.iter().copied().zip(answers).collect()
    }
}

async fn run(mut client: Command, order: &Value) -> Value {
    let client = client.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = client.kill_on_drop(true).spawn().unwrap();
    let mut stdin = client.stdin.take().unwrap();
    stdin.write_all(order.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = client.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a client should understand of each kind of call.
fn expected(row: Option<&Golden>, kind: &str) -> Value {
    let Some(row) = row else {
        return match kind {
            "unary" => json!({ "replies": ["alice"] }),
            "streaming" => json!({ "replies": ["alice", "alice"] }),
            _ => json!({ "replies": ["first", "second"] }),
        };
    };
    let info = json!([row.reason, "tower-wx-session", { "action": row.action }]);
    let mut status = json!({ "code": row.code, "message": row.message, "info": info });
    if let Some(seconds) = row.retry_after {
        status["retry"] = json!([seconds, 0]);
    }
    status
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
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

#[tokio::test]
async fn pythons_grpc_library_understands_every_refusal() {
    let targets = Targets::start().await;
    let mut client = Command::new(installed("PYTHON", "target/python/bin/python"));
    client.arg(folder("tests/python/client.py"));
    for (row, answer) in targets.answers_of(client).await {
        for kind in KINDS {
            assert_eq!(answer[kind], expected(row, kind), "{row:?}, {kind}");
        }
        assert_eq!(answer["health"], "SERVING", "{row:?}");
    }
}

#[tokio::test]
async fn javascripts_connect_library_understands_every_refusal_over_grpc_and_grpc_web() {
    let targets = Targets::start().await;
    let mut client = Command::new("node");
    client.arg(folder("tests/node/client.cjs"));
    let modules = installed("NODE_MODULES", "target/node/node_modules");
    client.env("NODE_PATH", modules);
    for (row, answer) in targets.answers_of(client).await {
        for transport in ["grpc", "grpc-web"] {
            for kind in KINDS {
                let answer = &answer[transport][kind];
                assert_eq!(*answer, expected(row, kind), "{row:?}, {transport}, {kind}");
            }
        }
        for kind in ["unary", "streaming"] {
            let answer = &answer["grpc-web by fetch"][kind];
            assert_eq!(*answer, expected(row, kind), "{row:?}, by fetch, {kind}");
        }
    }
}
