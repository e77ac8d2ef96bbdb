//! The example server as it is started by hand: routes, settings, the end by SIGTERM.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::support::process::{Program, command};

fn start(environment: &[(&str, &str)]) -> Program {
    Program::start("axum", environment)
}

#[tokio::test]
async fn the_routes_do_what_the_readme_says() {
    let mut server = start(&[]);
    let (first, second) = (
        server.log_in("alice:1").await,
        server.log_in("alice:2").await,
    );

    let (status, me) = server.send("GET", "/me", &first).await;
    assert_eq!(status, 200);
    assert_eq!(me["appid"], "wxfa4efa4e00000001");
    assert!(me["openid"].as_str().unwrap().starts_with('o'));
    let skey = server.client.get(format!("{}/me", server.base));
    let by_skey: Value = skey
        .header("X-WX-Skey", &first)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(by_skey, me);

    let (_, listed) = server.send("GET", "/sessions", &first).await;
    let current: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["current"])
        .collect();
    assert_eq!(
        current
            .iter()
            .filter(|current| ***current == json!(true))
            .count(),
        1
    );
    assert_eq!(current.len(), 2);
    let issued_at = listed[0]["issued_at"].as_u64().unwrap();
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    assert!(now.as_secs().abs_diff(issued_at) < 60);
    assert_eq!(
        listed[0]["expires_at"].as_u64().unwrap() - issued_at,
        2_592_000
    );

    assert_eq!(server.send("POST", "/logout", &first).await.0, 204);
    let (status, refusal) = server.send("GET", "/me", &first).await;
    assert_eq!(
        (status.as_u16(), &refusal["reason"]),
        (401, &json!("session_revoked"))
    );
    assert_eq!(server.send("GET", "/me", &second).await.0, 200);

    let third = server.log_in("alice:3").await;
    let other = server.log_in("bob:1").await;
    assert_eq!(
        server.send("POST", "/logout_everywhere", &second).await.0,
        204
    );
    for token in [&second, &third] {
        assert_eq!(server.send("GET", "/me", token).await.0, 401);
    }
    assert_eq!(server.send("GET", "/me", &other).await.0, 200);
    assert_eq!(server.send("GET", "/public", "nonsense").await.0, 200);
    assert_eq!(server.send("GET", "/nowhere", "nonsense").await.0, 404);
    let socket = server.client.get(format!("{}/ws", server.base));
    assert_eq!(socket.send().await.unwrap().status(), 401);
    // With a session it is up to the handler, which wants an upgrade.
    let socket = format!("{}/ws?token={other}", server.base);
    let socket = server.client.get(socket).send().await.unwrap();
    assert_eq!(socket.status(), 400);
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn a_device_logs_the_others_out_and_stays_itself() {
    let server = start(&[]);
    let mut tokens = Vec::new();
    for code in ["alice:1", "alice:2", "alice:3", "bob:1"] {
        tokens.push(server.log_in(code).await);
    }
    let here = &tokens[1];
    assert_eq!(server.send("POST", "/logout_others", here).await.0, 204);
    let mut statuses = Vec::new();
    for token in &tokens {
        statuses.push(server.send("GET", "/me", token).await.0.as_u16());
    }
    assert_eq!(statuses, [401, 200, 401, 200]);
}

#[tokio::test]
async fn an_upload_is_counted_and_needs_a_session() {
    let server = start(&[]);
    let upload = async |token: &str| {
        let request = server.client.post(format!("{}/upload", server.base));
        let request = request.bearer_auth(token).body(vec![b'x'; 100_000]);
        let answer = request.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    let token = server.log_in("alice:1").await;
    assert_eq!(upload(&token).await, (200, json!({ "bytes": 100_000 })));
    let (status, refusal) = upload("nonsense").await;
    assert_eq!(
        (status, &refusal["reason"]),
        (401, &json!("session_malformed"))
    );
}

#[tokio::test]
async fn the_environment_sets_what_it_says() {
    let server = start(&[
        ("IDLE_SECONDS", "3"),
        ("LIFETIME_SECONDS", "1"),
        ("REFUSAL", "ok_json"),
    ]);
    let token = server.log_in("alice:1").await;
    // Real time, because the process is real; the limits themselves are tested on a manual clock.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (status, refusal) = server.send("GET", "/me", &token).await;
    assert_eq!(
        (status.as_u16(), &refusal["reason"]),
        (200, &json!("session_expired"))
    );
}

#[tokio::test]
async fn another_wechat_can_stand_in_for_the_real_one() {
    let fake = tower_wx_session::test_util::FakeWeChat::start()
        .await
        .unwrap();
    let fake = fake.with_app("wx-of-mine", "secret-of-mine");
    let server = start(&[
        ("WX_APPID", "wx-of-mine"),
        ("WX_SECRET", "secret-of-mine"),
        ("WX_API_BASE", fake.base_url()),
    ]);
    let token = server.log_in("alice:1").await;
    assert_eq!(
        server.send("GET", "/me", &token).await.1["appid"],
        "wx-of-mine"
    );
    assert_eq!(fake.exchanges(), 1);
}

#[test]
fn a_bad_setting_ends_the_start_with_one_clear_line() {
    let rows = [
        ("LISTEN", "nowhere"),
        ("STORE", "floppy"),
        ("IDLE_SECONDS", "soon"),
        ("IDLE_SECONDS", "0"),
        ("IDLE_SECONDS", "-1"),
        ("LIFETIME_SECONDS", "1.5"),
        ("REFUSAL", "xml"),
        ("PLATFORM", "weibo"),
        ("WX_APPID", "without a secret"),
        ("WX_SECRET", "canary without an appid"),
        ("WX_API_BASE", "http://127.0.0.1:1"),
        ("RUST_LOG", "info=loud"),
    ];
    for (name, value) in rows {
        let line = refused_start(name, OsStr::new(value));
        let echoes = line.contains(value);
        assert_eq!(
            echoes,
            !name.starts_with("WX_") && name != "STORE",
            "{line}"
        );
    }
}

/// The one line with which the example ends when a variable has this value.
#[track_caller]
fn refused_start(name: &str, value: &OsStr) -> String {
    let mut command = command("axum", &[]);
    let command = command.env(name, value).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut line).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{name}={value:?}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.contains(name), "{line}");
    assert!(!line.contains("canary"), "{line}");
    line
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_named_and_not_shown() {
    for name in ["WX_SECRET", "WX_APPID", "RUST_LOG", "LISTEN"] {
        let line = refused_start(name, OsStr::from_bytes(b"canary\xff"));
        assert_eq!(line, format!("{name}: not valid UTF-8\n"));
    }
}

#[test]
fn a_log_that_no_terminal_shows_has_no_colours() {
    let mut command = command("axum", &[("RUST_LOG", "trace")]);
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let request = b"POST /login HTTP/1.1\r\nhost: h\r\ncontent-length: 17\r\nconnection: close\r\n\r\n{\"code\":\"busy:1\"}";
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    stream.read_to_string(&mut String::new()).unwrap();
    child.kill().unwrap();
    let mut log = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut log).unwrap();
    child.wait().unwrap();
    assert!(log.contains("login provider failed"), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[tokio::test]
async fn a_client_that_stalls_does_not_keep_it_from_ending() {
    let mut server = start(&[]);
    let token = server.log_in("alice:1").await;
    assert_eq!(server.send("GET", "/me", &token).await.0, 200);
    let address = server.base.strip_prefix("http://").unwrap();
    let mut stalled = TcpStream::connect(address).unwrap();
    let head =
        b"POST /login HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 50\r\n\r\n";
    stalled.write_all(head).unwrap();
    // The server says so when it has begun to wait for the body.
    let mut go_on = [0; 25];
    stalled.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stalled.write_all(b"{").unwrap();
    let started = Instant::now();
    assert_eq!(server.terminate(), Some(0));
    let took = started.elapsed();
    // The wait is 5 s; what else it takes depends on the machine.
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(took > Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn a_visitor_lets_time_pass_stops_the_store_and_keeps_wechat_busy() {
    let mut server = start(&[]);
    let post = async |path: &str, body: Value| {
        let request = server.client.post(format!("{}/demo/{path}", server.base));
        assert_eq!(
            request.json(&body).send().await.unwrap().status(),
            204,
            "{path}"
        );
    };
    let me = async |token: &str| {
        let (status, body) = server.send("GET", "/me", token).await;
        (status.as_u16(), body["reason"].as_str().map(str::to_owned))
    };
    let state = async || server.send("GET", "/demo/state", "").await.1;

    let token = server.log_in("alice:1").await;
    assert_eq!(me(&token).await, (200, None));
    let told = state().await;
    assert_eq!(
        (&told["exchanges"], &told["store"]),
        (&json!(1), &json!("up"))
    );
    assert_eq!(told["sessions"].as_array().unwrap().len(), 1);

    post("idle_out", Value::Null).await;
    assert_eq!(me(&token).await, (401, Some("session_idle_expired".into())));

    let token = server.log_in("alice:2").await;
    post("kick_out", Value::Null).await;
    assert_eq!(me(&token).await, (401, Some("session_kicked_out".into())));

    let token = server.log_in("alice:3").await;
    post("store", json!({ "state": "down" })).await;
    post("advance", json!({ "seconds": 61 })).await;
    assert_eq!(me(&token).await, (503, Some("store_unavailable".into())));
    post("store", json!({ "state": "up" })).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while me(&token).await != (200, None) {
        assert!(Instant::now() < deadline, "the store is up again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    post("wechat", json!({ "state": "busy" })).await;
    let login = server.client.post(format!("{}/login", server.base));
    let login = login
        .json(&json!({ "code": "alice:4" }))
        .send()
        .await
        .unwrap();
    assert_eq!(login.status(), 503);
    assert_eq!(state().await["wechat"], "busy");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn there_is_no_demo_on_a_real_store() {
    let address = dead_redis();
    let server = start(&[("STORE", &address)]);
    let url = format!("{}/demo/state", server.base);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answer = runtime.block_on(server.client.get(url).send()).unwrap();
    assert_eq!(answer.status(), 404);
}

/// Where no Redis listens: the server starts all the same.
fn dead_redis() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("redis://{}", free.local_addr().unwrap())
}
