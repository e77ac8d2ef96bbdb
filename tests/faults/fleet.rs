//! Nodes: example servers in processes of their own, and the sessions of their users.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::Client;
use serde_json::{Value, json};

use super::history::{Asked, History, Revoked};
use super::scenario::scaled;
use crate::support::{process, redis};

/// One node.
pub struct Node {
    child: Child,
    directory: PathBuf,
    pub base: String,
}

impl Node {
    pub async fn start(store: &str, environment: &[(&str, &str)]) -> Self {
        let directory = redis::directory();
        let file = |name| File::create(directory.join(name)).unwrap();
        let mut command = process::command("axum", &[("STORE", store), ("RUST_LOG", "warn")]);
        command.envs(environment.iter().copied());
        let command = command.stdout(file("out")).stderr(file("log"));
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let base = listening(&directory).await;
        Self {
            child,
            directory,
            base,
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap()
    }

    /// What it has in memory, in KiB.
    pub fn resident(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line.unwrap().trim().trim_end_matches(" kB");
        size.parse().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Where it says that it listens.
async fn listening(directory: &std::path::Path) -> String {
    let start = Instant::now();
    loop {
        let said = fs::read_to_string(directory.join("out")).unwrap();
        if let Some((line, _)) = said.split_once('\n') {
            let base = line.strip_prefix("listening on ").unwrap();
            return base.to_owned();
        }
        assert!(start.elapsed() < Duration::from_secs(20), "no node");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Several nodes, their users' sessions, and what was asked of them.
pub struct Fleet {
    pub nodes: Vec<Node>,
    pub tokens: Vec<String>,
    pub history: History,
    client: Client,
}

impl Fleet {
    /// A node for each of these URLs.
    pub async fn start(stores: &[&str]) -> Self {
        Self::start_with(stores, &[]).await
    }

    pub async fn start_with(stores: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut nodes = Vec::new();
        for store in stores {
            nodes.push(Node::start(store, environment).await);
        }
        Self {
            nodes,
            tokens: Vec::new(),
            history: History::new(),
            client: Client::new(),
        }
    }

    /// Logs users in at a node, and gives the numbers of their sessions.
    pub async fn log_in(&mut self, node: usize, users: usize) -> std::ops::Range<usize> {
        let first = self.tokens.len();
        let (client, base) = (&self.client, &self.nodes[node].base);
        let logins = (first..first + users).map(|number| {
            let body = json!({ "code": format!("user-{number}:1") });
            let request = client.post(format!("{base}/login")).json(&body);
            async move {
                let patience = Patience::begin();
                loop {
                    let answer = request.try_clone().unwrap().send().await.unwrap();
                    let status = answer.status().as_u16();
                    let body: Value = answer.json().await.unwrap();
                    match body["token"].as_str() {
                        Some(token) => break token.to_owned(),
                        None => assert!(patience.covers(status).await, "{body}"),
                    }
                }
            }
        });
        let logins: Vec<String> = futures_util::stream::iter(logins)
            .buffered(16)
            .collect()
            .await;
        self.tokens.extend(logins);
        first..self.tokens.len()
    }

    /// Has each of these nodes know each of these sessions, which have to be live. A node that has
    /// to ask the store may say "retry" on a busy machine; nothing of that goes down in history.
    pub async fn get_known(&self, nodes: &[usize], sessions: std::ops::Range<usize>) {
        for node in nodes {
            for session in sessions.clone() {
                let patience = Patience::begin();
                let asked = loop {
                    let asked = self.request(*node, session).await;
                    if asked.status == 200 || !patience.covers(asked.status).await {
                        break asked;
                    }
                };
                assert_eq!(asked.status, 200, "node {node}, session {session}");
                self.history.asked(asked);
            }
        }
    }

    /// One request, which goes down in history; the status.
    pub async fn ask(&self, node: usize, session: usize) -> u16 {
        let asked = self.request(node, session).await;
        let status = asked.status;
        self.history.asked(asked);
        status
    }

    async fn request(&self, node: usize, session: usize) -> Asked {
        let url = format!("{}/me", self.nodes[node].base);
        let request = self.client.get(url).bearer_auth(&self.tokens[session]);
        let start = self.history.now();
        let status = match request.timeout(Duration::from_secs(10)).send().await {
            Ok(answer) => answer.status().as_u16(),
            Err(_) => 0,
        };
        let end = self.history.now();
        Asked {
            node,
            session,
            start,
            end,
            status,
        }
    }

    /// What a refusal says.
    pub async fn refusal(&self, node: usize, session: usize) -> (u16, String) {
        let url = format!("{}/me", self.nodes[node].base);
        let request = self.client.get(url).bearer_auth(&self.tokens[session]);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["reason"].as_str().unwrap_or("").to_owned())
    }

    /// Whether a login works at a node: its status.
    pub async fn try_login(&self, node: usize, user: &str) -> u16 {
        let body = json!({ "code": user });
        let url = format!("{}/login", self.nodes[node].base);
        let answer = self.client.post(url).json(&body).send().await;
        answer.unwrap().status().as_u16()
    }

    /// Ends a session by a request to a node, which goes down in history; the status.
    pub async fn log_out(&self, node: usize, session: usize) -> u16 {
        let url = format!("{}/logout", self.nodes[node].base);
        let request = self.client.post(url).bearer_auth(&self.tokens[session]);
        let mut revoked = Revoked {
            node,
            session,
            asked: self.history.now(),
            acknowledged: None,
        };
        self.history.revoked(revoked.clone());
        let status = request.send().await.unwrap().status().as_u16();
        if matches!(status, 202 | 204) {
            revoked.acknowledged = Some(self.history.now());
            self.history.revoked(revoked);
        }
        status
    }

    /// Ends a session while the store is well. A busy machine may need longer than the deadline:
    /// then it is done a moment later.
    pub async fn end(&self, node: usize, session: usize) {
        let status = self.log_out(node, session).await;
        assert!(status == scaled(202, 204) || status == 204, "{status}");
    }

    /// How long it takes until a node answers a session like this.
    pub async fn until(&self, node: usize, session: usize, status: u16) -> Duration {
        let start = Instant::now();
        while self.ask(node, session).await != status {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "node {node} does not come to answer {status}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        start.elapsed()
    }
}

/// What a client does that is told to retry.
struct Patience(Instant);

impl Patience {
    fn begin() -> Self {
        Self(Instant::now())
    }

    /// Whether to send the request once more after this status; waits before it says so.
    async fn covers(&self, status: u16) -> bool {
        tokio::time::sleep(Duration::from_millis(100)).await;
        status == 503 && self.0.elapsed() < Duration::from_secs(5)
    }
}
