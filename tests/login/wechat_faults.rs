//! What `WeChat` makes of a server that fails, and that it never sends a code twice.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_wx_session::login::ExchangeErrorKind::*;
use tower_wx_session::test_util::Fault;
use tower_wx_session::wechat::WeChat;

use super::wechat::{KEY, SECRET, exchange, failure, start, wechat};

const SHORT: Duration = Duration::from_millis(200);

/// A server that answers the requests of each connection with these bytes, then closes it.
struct Raw {
    base_url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Close {
    AfterTheAnswers,
    UponAnotherRequest,
}

impl Raw {
    async fn start(answers: Vec<String>, close: Close) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, answers.clone(), close, Arc::clone(&seen)));
            }
        });
        Self { base_url, requests }
    }

    fn requests_with(&self, code: &str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|head| head.contains(code)).count()
    }
}

async fn converse(
    mut stream: TcpStream,
    answers: Vec<String>,
    close: Close,
    seen: Arc<Mutex<Vec<String>>>,
) {
    for answer in answers {
        let Some(head) = read_head(&mut stream).await else {
            return;
        };
        seen.lock().unwrap().push(head);
        stream.write_all(answer.as_bytes()).await.ok();
    }
    if close == Close::UponAnotherRequest
        && let Some(head) = read_head(&mut stream).await
    {
        seen.lock().unwrap().push(head);
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?.into());
    }
    Some(head)
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn success() -> String {
    ok(&format!(r#"{{"session_key":"{KEY}","openid":"o1"}}"#))
}

async fn raw(answer: String) -> (Raw, WeChat) {
    let raw = Raw::start(vec![answer], Close::AfterTheAnswers).await;
    let wechat = wechat(&raw.base_url);
    (raw, wechat)
}

#[tokio::test]
async fn every_fault_has_its_class_and_is_met_once() {
    let (fake, wechat) = start().await;
    let hasty = wechat.clone().with_timeout(SHORT);
    for (name, kind, text) in [
        ("busy", Unavailable, "errcode -1: system busy, rid: "),
        ("blocked", UserBlocked, "errcode 40226: "),
        (
            "limited",
            RateLimited(Duration::from_secs(60)),
            "errcode 45011: ",
        ),
        (
            "quota",
            RateLimited(Duration::from_secs(3600)),
            "errcode 45009: ",
        ),
        ("string-errcode", CodeRejected, "errcode 40029: "),
        (
            "empty-openid",
            Unavailable,
            "unreadable answer with status 200: no openid",
        ),
        (
            "broken",
            Unavailable,
            "unreadable answer with status 200: no JSON object",
        ),
        (
            "error5xx",
            Unavailable,
            "unreadable answer with status 502: no JSON object",
        ),
        ("cut", Unavailable, "answer cut off: "),
        ("reset", Unavailable, "no answer: connection closed before"),
        ("slow", Unavailable, "timed out after 200ms"),
        ("slowbody", Unavailable, "timed out after 200ms"),
    ] {
        let code = format!("{name}:canary-code");
        let wechat = match name.starts_with("slow") {
            true => &hasty,
            false => &wechat,
        };
        let (seen, cause) = failure(exchange(wechat, &code).await, &code);
        assert_eq!(seen, kind, "{name}");
        assert!(cause.starts_with(text), "{name}: {cause}");
        assert_eq!(fake.exchanges_of(&code), 1, "{name}");
    }
}

#[tokio::test]
async fn ordered_faults_come_in_order_and_spend_the_code() {
    let (fake, wechat) = start().await;
    fake.answer_next(Fault::Cut);
    fake.answer_next(Fault::Errcode(45011));
    for (code, expected) in [
        ("alice:1", Unavailable),
        ("alice:2", RateLimited(Duration::from_secs(60))),
        ("alice:1", CodeRejected),
    ] {
        assert_eq!(failure(exchange(&wechat, code).await, code).0, expected);
    }

    fake.fail_all(Some(Fault::Error5xx));
    for code in ["alice:3", "alice:4"] {
        assert_eq!(failure(exchange(&wechat, code).await, code).0, Unavailable);
    }
    fake.fail_all(None);
    exchange(&wechat, "alice:5").await.unwrap();
    assert_eq!(fake.exchanges(), 6);
}

#[tokio::test]
async fn a_wrong_path_is_unavailable() {
    let (fake, wechat) = start().await;
    let wechat = wechat
        .with_base_url(&format!("{}/no", fake.base_url()))
        .unwrap();
    assert_eq!(
        failure(exchange(&wechat, "alice:1").await, "alice:1").0,
        Unavailable
    );
    assert_eq!(fake.exchanges(), 0);
}

#[tokio::test]
async fn an_exchange_ends_with_the_time_out() {
    let (_fake, wechat) = start().await;
    let wechat = wechat.with_timeout(SHORT);
    for code in ["slow:1", "slowbody:1"] {
        let begun = Instant::now();
        assert_eq!(failure(exchange(&wechat, code).await, code).0, Unavailable);
        let took = begun.elapsed();
        assert!(took >= SHORT && took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let result = exchange(&wechat(&base_url), "alice:canary-code").await;
    let (kind, text) = failure(result, "alice:canary-code");
    assert_eq!(kind, Unavailable);
    assert!(text.starts_with("cannot connect: "), "{text}");
}

#[tokio::test]
async fn an_echo_of_the_secrets_is_masked() {
    let code = "alice:canary-code";
    let body = format!(
        r#"{{"errcode":40029,"errmsg":"bad {code} {} {SECRET} {KEY}\u0007, rid: 1-2-3","session_key":"{KEY}"}}"#,
        code.to_uppercase(),
    );
    let (_raw, wechat) = raw(ok(&body)).await;
    let (kind, text) = failure(exchange(&wechat, code).await, code);
    assert_eq!(kind, CodeRejected);
    let stars = |n| "*".repeat(n);
    let masked = [stars(17), stars(17), stars(32), stars(24)].join(" ");
    assert_eq!(text, format!("errcode 40029: bad {masked}, rid: 1-2-3"));
}

#[tokio::test]
async fn the_status_is_not_the_verdict() {
    let with_status = |status: &str, answer: String| answer.replace("200 OK", status);
    let refusal = ok(r#"{"errcode":40029,"errmsg":"invalid code"}"#);
    for status in ["500 No", "404 No", "302 Found"] {
        let (_raw, wechat) = raw(with_status(status, refusal.clone())).await;
        assert_eq!(
            failure(exchange(&wechat, "a:1").await, "a:1").0,
            CodeRejected
        );
        let (_raw, wechat) = raw(with_status(status, success())).await;
        assert_eq!(
            exchange(&wechat, "a:1").await.unwrap().identity().openid(),
            "o1"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (fake, _) = start().await;
    let target = fake.base_url();
    let redirect = format!(
        "HTTP/1.1 307 Moved\r\nLocation: {target}/sns/jscode2session\r\nContent-Length: 0\r\n\r\n",
    );
    let (raw, wechat) = raw(redirect).await;
    let code = "alice:canary-code";
    assert_eq!(failure(exchange(&wechat, code).await, code).0, Unavailable);
    assert_eq!(
        (raw.requests.lock().unwrap().len(), fake.exchanges()),
        (1, 0)
    );
}

#[tokio::test]
async fn an_endless_answer_is_given_up() {
    let body = format!(r#"{{"openid":"o1","padding":"{}"}}"#, "x".repeat(64 * 1024));
    let (_raw, wechat) = raw(ok(&body)).await;
    let (kind, text) = failure(exchange(&wechat, "a:1").await, "a:1");
    assert_eq!(
        (kind, &*text),
        (
            Unavailable,
            "unreadable answer with status 200: longer than 64 KiB"
        )
    );
}

#[tokio::test]
async fn what_is_no_http_is_unavailable() {
    for answer in ["", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let (raw, wechat) = raw(answer.to_owned()).await;
        let code = "alice:canary-code";
        assert_eq!(failure(exchange(&wechat, code).await, code).0, Unavailable);
        assert_eq!(raw.requests_with("canary-code"), 1);
    }
}

#[tokio::test]
async fn a_connection_that_dies_under_a_code_costs_the_code() {
    let raw = Raw::start(vec![success()], Close::UponAnotherRequest).await;
    let wechat = wechat(&raw.base_url);
    for round in 0..10 {
        let (first, second) = (format!("a-first-{round}-"), format!("a-second-{round}-"));
        exchange(&wechat, &first).await.unwrap();
        assert_eq!(
            failure(exchange(&wechat, &second).await, &second).0,
            Unavailable
        );
        assert_eq!(raw.requests_with(&first), 1);
        assert_eq!(raw.requests_with(&second), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_connection_in_the_pool_never_makes_a_code_go_twice() {
    let (raw, wechat) = raw(success()).await;
    for round in 0..200 {
        let code = format!("a-{round}-");
        let outcome = exchange(&wechat, &code).await;
        let sent = raw.requests_with(&code);
        assert!(
            sent == 1 || (sent == 0 && outcome.is_err()),
            "{code}: {sent}"
        );
    }
}
