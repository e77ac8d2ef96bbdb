//! Nodes: example servers in processes of their own, and the sessions of their users.

use std::fs::{self, File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use reqwest::Client;
use serde_json::{Value, json};

use super::history::{Asked, History, Revoked};
use super::scenario::scaled;
use crate::support::{process, redis};

/// Instead of a status: the node was dead, or was killed before it had answered.
pub const KILLED: u16 = 1;

/// One node.
pub struct Node {
    child: Mutex<Child>,
    directory: PathBuf,
    environment: Vec<(String, String)>,
    /// Counts its starts and its ends: odd while it is dead.
    changes: AtomicU32,
    pub base: String,
}

impl Node {
    pub async fn start(store: &str, environment: &[(&str, &str)]) -> Self {
        let directory = redis::directory();
        let own = [("STORE", store), ("RUST_LOG", "warn")];
        let all = own.iter().chain(environment);
        let environment: Vec<_> = all
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let child = Mutex::new(spawn(&directory, &environment));
        let base = listening(&directory).await;
        Self {
            child,
            directory,
            environment,
            changes: AtomicU32::new(0),
            base,
        }
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Starts it again where it was, and waits until it listens.
    pub async fn restart(&self) {
        let address = self.base.trim_start_matches("http://").to_owned();
        let mut environment = self.environment.clone();
        environment.push(("LISTEN".to_owned(), address));
        *self.child.lock().unwrap() = spawn(&self.directory, &environment);
        assert_eq!(listening(&self.directory).await, self.base);
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Which of its lives it is in.
    pub fn life(&self) -> Life {
        Life(self.changes.load(Ordering::SeqCst))
    }

    /// What stands for no answer to a request that began in that life.
    pub fn no_answer(&self, began: Life) -> u16 {
        let is_alive = began.0.is_multiple_of(2) && began == self.life();
        if is_alive { 0 } else { KILLED }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap()
    }

    /// What it has in memory, in KiB.
    pub fn resident(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.lock().unwrap().id());
        let status = fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line.unwrap().trim().trim_end_matches(" kB");
        size.parse().unwrap()
    }
}

/// A number that a node has from a start or an end to the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Life(u32);

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Its log goes on where that of an earlier life ended.
fn spawn(directory: &std::path::Path, environment: &[(String, String)]) -> Child {
    let mut log = OpenOptions::new();
    let log = log.create(true).append(true).open(directory.join("log"));
    let out = File::create(directory.join("out")).unwrap();
    let mut command = process::command("axum", &[]);
    command.envs(environment.iter().cloned());
    let command = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(log.unwrap());
    command.spawn().unwrap()
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
    /// A node for each of these stores, as `STORE` names them.
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

    /// One request, which goes down in history if it may have been answered; the status.
    pub async fn ask(&self, node: usize, session: usize) -> u16 {
        let asked = self.request(node, session).await;
        let status = asked.status;
        if status != KILLED {
            self.history.asked(asked);
        }
        status
    }

    async fn request(&self, node: usize, session: usize) -> Asked {
        let url = format!("{}/me", self.nodes[node].base);
        let request = self.client.get(url).bearer_auth(&self.tokens[session]);
        let (start, life) = (self.history.now(), self.nodes[node].life());
        let status = match request.timeout(Duration::from_secs(10)).send().await {
            Ok(answer) => answer.status().as_u16(),
            Err(_) => self.nodes[node].no_answer(life),
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

    /// The hour of the day that a node puts into its answers.
    pub async fn hour(&self, node: usize) -> String {
        let url = format!("{}/public", self.nodes[node].base);
        let answer = self.client.get(url).send().await.unwrap();
        let date = answer.headers()["date"].to_str().unwrap();
        date.split([' ', ':']).nth(4).unwrap().to_owned()
    }

    /// Whether a login works at a node: its status.
    pub async fn try_login(&self, node: usize, user: &str) -> u16 {
        let body = json!({ "code": user });
        let url = format!("{}/login", self.nodes[node].base);
        let answer = self.client.post(url).json(&body).send().await;
        answer.unwrap().status().as_u16()
    }

    /// Waits until each node logs users in again.
    pub async fn recovered(&self) {
        for node in 0..self.nodes.len() {
            let start = Instant::now();
            let code = || format!("probe:{node}-{}", self.history.now().as_nanos());
            while self.try_login(node, &code()).await != 200 {
                assert!(
                    start.elapsed() < Duration::from_secs(20),
                    "node {node} logs nobody in"
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
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
