//! The dashboard asks for what the example serves, and the documentation lists just that.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::Client;
use serde_json::{Value, json};

use crate::support::prometheus::samples;

const GUIDE: &str = include_str!("../../src/guide/observability.md");
const DASHBOARD: &str = include_str!("../../examples/grafana/dashboard.json");
const PREFIX: &str = "wx_session_";

/// A running example, ended with the test.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start() -> Server {
    let this = std::env::current_exe().unwrap();
    let folder = this.parent().and_then(|deps| deps.parent()).unwrap();
    let mut command = Command::new(folder.join("examples").join("axum"));
    command.env_clear().env("LISTEN", "127.0.0.1:0");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let base = line.trim().strip_prefix("listening on ").unwrap();
    Server(child, base.to_owned())
}

/// What `/metrics` says after a login, hits, refusals and a logout.
async fn text_after_some_traffic() -> String {
    let Server(_child, base) = &start();
    let client = Client::builder().no_proxy().build().unwrap();
    let login = client.post(format!("{base}/login"));
    let login = login.json(&json!({"code": "alice:1"})).send().await;
    let login: Value = login.unwrap().json().await.unwrap();
    let token = login["token"].as_str().unwrap();
    let me = || client.get(format!("{base}/me"));
    for (request, status) in [
        (me().bearer_auth(token), 200),
        (me().bearer_auth(token), 200),
        (me(), 401),
        (me().bearer_auth("nonsense"), 401),
        (
            client.post(format!("{base}/logout")).bearer_auth(token),
            204,
        ),
        (me().bearer_auth(token), 401),
    ] {
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    let metrics = client.get(format!("{base}/metrics")).send().await.unwrap();
    let format = metrics.headers()["content-type"].to_str().unwrap();
    assert_eq!(format, "text/plain; version=0.0.4");
    let text = metrics.text().await.unwrap();
    assert!(!text.contains(token) && !text.contains("alice"), "{text}");
    text
}

/// Every word that begins like a metric of ours.
fn names(text: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_of_name(c))
        .filter(|word| word.starts_with(PREFIX))
        .map(ToOwned::to_owned)
        .collect()
}

/// Every string in a JSON value under one of these keys.
fn strings(value: &Value, keys: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value.as_str() {
                    Some(text) if keys.contains(&&**key) => found.push(text.to_owned()),
                    _ => strings(value, keys, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, keys, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_dashboard_the_documentation_and_the_example_name_the_same_metrics() {
    let text = text_after_some_traffic().await;
    let served: BTreeSet<_> = samples(&text)
        .map(|(name, _, _)| name.to_owned())
        .filter(|name| name.starts_with(PREFIX))
        .collect();

    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut queries = Vec::new();
    strings(&dashboard, &["expr", "query"], &mut queries);
    assert!(queries.len() > 12, "{queries:?}");
    let asked = names(&queries.join("\n"));
    assert_eq!(
        asked.difference(&served).collect::<Vec<_>>(),
        [""; 0],
        "{text}"
    );

    let parts = ["_bucket", "_count", "_sum"];
    let whole = |name: &String| {
        let whole = parts.iter().find_map(|part| name.strip_suffix(part));
        whole.unwrap_or(name).to_owned()
    };
    let served: BTreeSet<_> = served.iter().map(whole).collect();
    let table = GUIDE.lines().filter(|line| line.starts_with("| `wx_"));
    let rows: Vec<_> = table
        .map(|line| names(line).into_iter().next().unwrap())
        .collect();
    assert_eq!(served, rows.iter().cloned().collect());
    assert_eq!(rows.len(), served.len(), "a metric is listed twice");
    // The dashboard leaves none out.
    assert_eq!(asked.iter().map(whole).collect::<BTreeSet<_>>(), served);
}

#[tokio::test]
async fn every_label_that_is_served_is_listed_with_its_values() {
    let text = text_after_some_traffic().await;
    let listed = |word: &str| GUIDE.contains(&format!("`{word}`"));
    let mut checked = 0;
    for (name, labels, _) in samples(&text).filter(|(name, ..)| name.starts_with(PREFIX)) {
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (key, value) = label.split_once('=').unwrap();
            let value = value.trim_matches('"');
            checked += 1;
            let is_number = key == "le";
            let is_reason = tower_wx_session::RejectionKind::ALL
                .iter()
                .any(|kind| kind.reason() == value);
            assert!(is_number || is_reason || listed(value), "{name} {label}");
            assert!(is_number || listed(key), "{name} {label}");
        }
    }
    assert!(checked > 20);
}
