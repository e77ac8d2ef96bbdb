#!/usr/bin/env bash
# Version: tower-sessions 0.15.0 with its MemoryStore, run with cargo 1.95.0 (only tower-sessions itself is pinned).
# First guess: with Expiry::OnInactivity(3 s) a session that is read once a second lives on: it is not inactive.
# Behaviour: the expiry is put off when the session is saved, and it is saved only where it was changed. A session that
#   is only read ends 3 s after its last change, in the middle of use. with_always_save(true) makes each read count,
#   for one write to the store a request.
# Output seen:
#   as it is: read once a second for 5 s: found found lost lost lost
#   with_always_save(true): read once a second for 5 s: found found found found found
set -euo pipefail
T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
cd "$T"; mkdir src
cat > Cargo.toml <<'C'
[package]
name = "t"
version = "0.1.0"
edition = "2024"
[dependencies]
http = "1"
time = "0.3"
tokio = { version = "1", features = ["macros", "rt", "time"] }
tower = { version = "0.5", features = ["util"] }
tower-sessions = "=0.15.0"
C
cat > src/main.rs <<'R'
use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer};

/// The first request writes the session, all others read it.
async fn handle(request: Request<String>) -> Result<Response<String>, Infallible> {
    let session = request.extensions().get::<Session>().unwrap().clone();
    if request.uri().path() == "/login" {
        session.insert("user", "alice").await.unwrap();
    }
    let user = session.get::<String>("user").await.unwrap();
    Ok(Response::new(if user.is_some() { "found" } else { "lost" }.to_owned()))
}

async fn reads(always_save: bool) -> Vec<String> {
    let layer = SessionManagerLayer::new(MemoryStore::default())
        .with_secure(false)
        .with_always_save(always_save)
        .with_expiry(Expiry::OnInactivity(time::Duration::seconds(3)));
    let service = layer.layer(service_fn(handle));
    let request = |path: &str, cookie: &str| {
        Request::get(path).header("cookie", cookie).body(String::new()).unwrap()
    };
    let answer = service.clone().oneshot(request("/login", "")).await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let mut seen = Vec::new();
    for second in 0..5 {
        // Half a second off, so that nothing is decided by a few milliseconds.
        let wait = if second == 0 { 1500 } else { 1000 };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let answer = service.clone().oneshot(request("/", &cookie)).await.unwrap();
        seen.push(answer.into_body());
    }
    seen
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rows = [
        ("as it is", false, "found found lost lost lost"),
        ("with_always_save(true)", true, "found found found found found"),
    ];
    let mut changed = false;
    for (name, always_save, expected) in rows {
        let seen = reads(always_save).await.join(" ");
        println!("{name}: read once a second for 5 s: {seen}");
        if seen != expected {
            println!("CHANGED: expected {expected}");
            changed = true;
        }
    }
    std::process::exit(changed.into());
}
R
cargo run --quiet
