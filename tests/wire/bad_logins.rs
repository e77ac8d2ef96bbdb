//! Whatever a client sends for a login.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::ServiceExt;
use tower_wx_session::login::Login;
use tower_wx_session::response::Preset;
use tower_wx_session::store::MemoryStore;
use tower_wx_session::wechat::WeChat;

use super::bad_tokens::{split, start};
use crate::support::golden::{Golden, LOGIN, golden};
use crate::support::http::Answer;
use crate::support::nodes::node_in_real_time;
use crate::support::world::{App, SECOND, World};

#[track_caller]
fn assert_refused(answer: &Answer, row: &Golden, context: &str) {
    let seen = (answer.status, &*answer.body);
    assert_eq!(seen, (row.status, row.json), "{context}");
    assert_eq!(
        answer.header("cache-control"),
        Some("no-store"),
        "{context}"
    );
}

#[tokio::test]
async fn a_body_that_is_no_login_is_a_bad_request() {
    let (world, app, _) = start().await;
    let text = |text: &str| text.as_bytes().to_vec();
    let with_code = |code: &str| format!(r#"{{"code":"{code}"}}"#).into_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", text("")),
        ("blank", text(" \r\n\t ")),
        ("no JSON", text("code=alice:1")),
        ("HTML", text("<html>")),
        ("half", text(r#"{"code":"alice:1""#)),
        ("two", text(r#"{"code":"alice:1"}{"code":"alice:1"}"#)),
        ("null", text("null")),
        ("a number", text("7")),
        ("a string", text(r#""alice:1""#)),
        ("an array", text(r#"["alice:1"]"#)),
        ("an array of two", text(r#"["alice:1",null]"#)),
        ("an array of an object", text(r#"[{"code":"alice:1"}]"#)),
        ("no code", text("{}")),
        ("another name", text(r#"{"Code":"alice:1"}"#)),
        ("null code", text(r#"{"code":null}"#)),
        ("number code", text(r#"{"code":7}"#)),
        ("bool code", text(r#"{"code":true}"#)),
        ("array code", text(r#"{"code":["alice:1"]}"#)),
        ("nested code", text(r#"{"code":{"code":"alice:1"}}"#)),
        ("nested", text(r#"{"data":{"code":"alice:1"}}"#)),
        ("two codes", text(r#"{"code":"alice:1","code":"bob:1"}"#)),
        ("empty code", with_code("")),
        ("blank code", with_code(" \\t\\n ")),
        ("513 bytes", with_code(&format!("a:{}", "x".repeat(511)))),
        (
            "513 bytes of 171 characters",
            with_code(&"\u{20ac}".repeat(171)),
        ),
        ("number appid", text(r#"{"code":"alice:1","appid":7}"#)),
        ("array appid", text(r#"{"code":"alice:1","appid":[]}"#)),
        ("invalid UTF-8", b"{\"code\":\"alice:\xff\"}".to_vec()),
        ("UTF-16", b"\xff\xfe{\0\"\0".to_vec()),
        ("a lone surrogate", text(r#"{"code":"alice:\ud800"}"#)),
        (
            "a raw control character",
            b"{\"code\":\"alice:\x01\"}".to_vec(),
        ),
        ("a BOM", text("\u{feff}{\"code\":\"alice:1\"}")),
        ("NULs", vec![0; 100]),
        ("deep arrays", vec![b'['; 4096]),
        ("deep objects", text(&r#"{"code":"#.repeat(400))),
        (
            "4097 bytes",
            text(&format!("{:<4097}", r#"{"code":"alice:1"}"#)),
        ),
        ("5 KB", with_code(&"a".repeat(5_000))),
    ];
    for (name, body) in cases {
        let request = app.client.post(app.server.url("/login")).body(body);
        assert_refused(
            &Answer::to(request).await,
            golden(LOGIN, "bad request"),
            name,
        );
    }
    assert_eq!(world.fake.exchanges(), 0);
    assert_eq!(app.log_in("alice:1").await.status, 200);
}

#[tokio::test]
async fn odd_logins_that_are_fine() {
    let (world, app, _) = start().await;
    let longest = format!("alice:{}", "x".repeat(506));
    let bodies = [
        format!(r#"{{"code":"{longest}"}}"#),
        format!("{:<4096}", r#"{"code":"alice:1"}"#),
        format!("\r\n\t {} ", r#"{ "code" : "alice:2" }"#),
        r#"{"x":{"code":7},"code":"alice:3","appid":null,"userInfo":{}}"#.to_owned(),
        r#"{"c\u006fde":"alice:\u20ac \ud83d\ude00"}"#.to_owned(),
        r#"{"code":"alice:\u0000"}"#.to_owned(),
        // Nesting in a field that nobody reads.
        format!(
            r#"{{"code":"alice:4","x":{}{}}}"#,
            "[".repeat(1500),
            "]".repeat(1500)
        ),
    ];
    for body in bodies {
        // The content type is whatever a client's library makes up.
        for kind in [
            "application/json",
            "text/plain",
            "application/x-www-form-urlencoded",
        ] {
            let request = app.client.post(app.server.url("/login")).body(body.clone());
            let answer = Answer::to(request.header("content-type", kind)).await;
            assert_eq!(answer.status, 200, "{body}");
        }
    }
    assert_eq!(world.fake.exchanges(), 7);
    assert_eq!(world.fake.exchanges_of(&longest), 1);
}

#[tokio::test]
async fn a_code_that_is_no_code_is_for_wechat_to_refuse() {
    let (_world, app, _) = start().await;
    for code in ["x", "\\u0000", "undefined", " a ", "&secret=", "\\r\\nHost"] {
        let body = format!(r#"{{"code":"{code}"}}"#);
        let request = app.client.post(app.server.url("/login")).body(body);
        assert_refused(
            &Answer::to(request).await,
            golden(LOGIN, "code rejected"),
            code,
        );
    }
}

/// Sends a head, then chunks until the server answers; gives the answer and the bytes it took.
async fn send_until_answered(app: &App, head: &str, chunk: &[u8]) -> (String, usize) {
    let address = app.server.url("");
    let stream = TcpStream::connect(&address["http://".len()..])
        .await
        .unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let (head, chunk) = (head.to_owned(), chunk.to_vec());
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let sender = tokio::spawn(async move {
        writer.write_all(head.as_bytes()).await.unwrap();
        while counter.load(Ordering::SeqCst) < 10_000_000 && writer.write_all(&chunk).await.is_ok()
        {
            counter.fetch_add(chunk.len(), Ordering::SeqCst);
        }
        // The connection stays open: the server is not to wait for the end.
        std::future::pending::<()>().await;
    });
    let mut answer = Vec::new();
    let done = |answer: &[u8]| answer.ends_with(b"}") || answer.is_empty();
    let reading = async {
        loop {
            let read = reader.read_buf(&mut answer).await.unwrap_or(0);
            if read == 0 || done(&answer) {
                return;
            }
        }
    };
    tokio::time::timeout(10 * SECOND, reading)
        .await
        .expect("no answer");
    sender.abort();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer, sent.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_body_is_refused_without_being_read() {
    let (world, app, _) = start().await;
    let head = "POST /login HTTP/1.1\r\nhost: h\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let sized = format!("{head}content-length: 10000000\r\n\r\n");
    let small = b"1\r\n \r\n".repeat(1000);
    for (head, chunk) in [(chunked, small), (sized, vec![b' '; 10_000])] {
        let (answer, sent) = send_until_answered(&app, &head, &chunk).await;
        let (status, body) = split(&answer);
        let row = golden(LOGIN, "bad request");
        assert_eq!((status, &*body), (row.status, row.json));
        assert!(sent <= 10_000_000, "{sent}");
    }
    assert_eq!(world.fake.exchanges(), 0);
}

#[tokio::test]
async fn a_body_that_ends_too_early_spends_no_code() {
    let (world, app, _) = start().await;
    let request =
        b"POST /login HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n{\"code\":\"alice:1\"}";
    let address = app.server.url("");
    let mut stream = TcpStream::connect(&address["http://".len()..])
        .await
        .unwrap();
    stream.write_all(request).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400"),
        "{answer}"
    );
    assert_eq!(world.fake.exchanges(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_a_bad_request_at_the_deadline() {
    let sessions = node_in_real_time(MemoryStore::new());
    let login = Login::new(sessions, WeChat::new("appid", "secret"));
    for (login, seconds) in [(login.clone(), 10), (login.with_deadline(2 * SECOND), 2)] {
        let never = pending::<Option<Result<HeaderMap, Infallible>>>();
        let body = Full::new(Bytes::from_static(b"{")).with_trailers(never);
        let started = Instant::now();
        let response = login.oneshot(Request::post("/").body(body).unwrap()).await;
        let answer = Answer::read(response.unwrap().map(reqwest::Body::wrap).into()).await;
        assert_refused(&answer, golden(LOGIN, "bad request"), "stalled");
        let late = started.elapsed().checked_sub(seconds * SECOND);
        assert!(late.is_some_and(|late| late.as_millis() < 10), "{late:?}");
    }
}

#[tokio::test]
async fn other_methods_are_not_allowed_at_the_login() {
    let (world, app, _) = start().await;
    let wafer = world.login().with_rejection_response(Preset::Wafer);
    let wafer = world.start_with(world.layer(), wafer).await;
    let row = golden(LOGIN, "method");
    for (app, allow, body, is_wafer) in [
        (&app, "POST", row.json, false),
        (&wafer, "GET, POST", row.wafer, true),
    ] {
        for method in [
            "GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "PROPFIND", "X",
        ] {
            if is_wafer && method == "GET" {
                continue;
            }
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = app.client.request(method.clone(), app.server.url("/login"));
            let request = request.header("x-wx-code", "alice:1");
            let answer = Answer::to(request.body(r#"{"code":"alice:1"}"#)).await;
            let body = if method == Method::HEAD { "" } else { body };
            assert_eq!((answer.status, &*answer.body), (405, body), "{method}");
            assert_eq!(answer.header("allow"), Some(allow), "{method}");
        }
    }
    assert_eq!(world.fake.exchanges(), 0);
}

#[tokio::test]
async fn a_wafer_login_without_a_usable_code_is_a_bad_request() {
    let world = World::new().await;
    let login = world.login().with_rejection_response(Preset::Wafer);
    let app = world.start_with(world.layer(), login).await;
    let row = golden(LOGIN, "bad request");
    let long = format!("x-wx-code: {}", "x".repeat(513));
    for header in [
        "x-none:",
        "x-wx-code:",
        "x-wx-code:  \t",
        "x-wx-code: a\u{e9}",
        &long,
    ] {
        let request =
            format!("GET /login HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{header}\r\n\r\n");
        let seen = split(&app.server.raw(request.as_bytes()).await);
        assert_eq!(seen, (400, row.wafer.to_owned()), "{header}");
    }
    assert_eq!(world.fake.exchanges(), 0);
}
