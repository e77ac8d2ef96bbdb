//! An example server in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// An example, as `cargo test` has built it beside the tests.
pub fn command(example: &str, environment: &[(&str, &str)]) -> Command {
    let this = std::env::current_exe().unwrap();
    let folder = this.parent().and_then(|deps| deps.parent()).unwrap();
    let example = folder.join("examples").join(example);
    assert!(
        example.exists(),
        "build it first: cargo build --all-features --examples"
    );
    let mut command = Command::new(example);
    command.env_clear().env("LISTEN", "127.0.0.1:0");
    command.envs(environment.iter().copied());
    command
}

/// A running server, ended with the test.
pub struct Program {
    child: Child,
    pub base: String,
    pub client: Client,
}

impl Program {
    pub fn start(example: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = command(example, environment)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let base = line.trim().strip_prefix("listening on ").unwrap();
        Self {
            base: base.to_owned(),
            child,
            client: Client::new(),
        }
    }

    pub async fn log_in(&self, code: &str) -> String {
        let response = self.client.post(format!("{}/login", self.base));
        let response = response.json(&json!({ "code": code })).send().await;
        let body: Value = response.unwrap().json().await.unwrap();
        body["token"].as_str().unwrap().to_owned()
    }

    pub async fn send(&self, method: &str, path: &str, token: &str) -> (StatusCode, Value) {
        let method = method.parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.base));
        let response = request.bearer_auth(token).send().await.unwrap();
        let status = response.status();
        let body = response.text().await.unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// Asks it to end, and gives its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM")
    }

    /// Sends a signal that ends it, and gives its exit code.
    pub fn signal(&mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args([signal, &pid]).status();
        assert!(killed.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
