//! `WeChat` against a fake WeChat, over real HTTP.
#![cfg(all(feature = "wechat", feature = "test-util"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::error::Error;
use std::fmt::Write;
use std::iter;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower_wx_session::login::ExchangeErrorKind::{self, *};
use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
use tower_wx_session::test_util::{FakeWeChat, Fault};
use tower_wx_session::wechat::WeChat;
use tracing_subscriber::util::SubscriberInitExt;

const APPID: &str = "wxcanary";
const SECRET: &str = "cAnArYsEcReT0123456789abcdef0123";
const KEY: &str = "cAnArYkEy5v6AKRyjwEUhQ==";
const SHORT: Duration = Duration::from_millis(200);

fn wechat(base_url: &str) -> WeChat {
    WeChat::new(APPID, SECRET).with_base_url(base_url).unwrap()
}

async fn start() -> (FakeWeChat, WeChat) {
    let fake = FakeWeChat::start().await.unwrap().with_app(APPID, SECRET);
    let wechat = wechat(fake.base_url());
    (fake, wechat)
}

async fn exchange(wechat: &WeChat, code: &str) -> Result<Exchanged, ExchangeError> {
    wechat.exchange(LoginRequest::new(APPID, code)).await
}

/// The kind and the cause of a failure, once it is known to hold no secret.
#[track_caller]
fn failure(result: Result<Exchanged, ExchangeError>, code: &str) -> (ExchangeErrorKind, String) {
    let error = result.unwrap_err();
    assert_clean(&texts(&error), code);
    (error.kind(), error.source().unwrap().to_string())
}

/// The second half of a code is the same in a URL, where the colon is not.
#[track_caller]
fn assert_clean(text: &str, code: &str) {
    let text = text.to_lowercase();
    let half = code.rsplit(':').next().filter(|half| half.len() > 8);
    let secrets = [
        SECRET,
        KEY,
        code,
        half.unwrap_or(code),
        "secret=",
        "js_code=",
    ];
    for secret in secrets.map(str::to_lowercase) {
        assert!(!text.contains(&secret), "{secret} in {text}");
    }
}

fn texts(error: &ExchangeError) -> String {
    let mut texts = format!("{error:?} {error:#?}");
    for error in iter::successors(Some(error as &dyn Error), |&error| error.source()) {
        write!(texts, " {error} {error:?} {error:#?}").unwrap();
    }
    texts
}

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
async fn a_good_code_gives_the_user_and_a_session_key() {
    let (_fake, wechat) = start().await;
    let first = exchange(&wechat, "alice:1").await.unwrap();
    let second = exchange(&wechat, "alice:2").await.unwrap();
    let other = exchange(&wechat, "bob:1").await.unwrap();

    let identity = first.identity();
    assert_eq!(identity.appid(), APPID);
    assert_eq!(identity.openid().len(), 28);
    assert!(identity.openid().starts_with('o'));
    assert_eq!(identity.unionid(), None);
    assert_eq!(identity, second.identity());
    assert_ne!(identity, other.identity());

    let key = first.session_key().unwrap();
    assert_eq!(key.expose().len(), 24);
    assert_ne!(Some(key), second.session_key());
    assert!(!format!("{first:?}").contains(key.expose()));
}

#[tokio::test]
async fn a_unionid_is_the_same_in_every_app() {
    let fake = FakeWeChat::start().await.unwrap();
    let fake = fake.with_app(APPID, SECRET).with_unionids();
    let wechat = wechat(fake.base_url()).with_app(fake.appid(), fake.secret());

    let here = exchange(&wechat, "alice:1").await.unwrap();
    let there = LoginRequest::new(fake.appid(), "alice:2");
    let there = wechat.exchange(there).await.unwrap();
    assert_eq!(here.identity().unionid(), there.identity().unionid());
    assert!(here.identity().unionid().is_some());
    assert_ne!(here.identity().openid(), there.identity().openid());
    assert_eq!(there.identity().appid(), fake.appid());
}

#[tokio::test]
async fn a_used_code_is_rejected() {
    let (fake, wechat) = start().await;
    exchange(&wechat, "alice:canary-code").await.unwrap();
    let again = exchange(&wechat, "alice:canary-code").await;
    let (kind, text) = failure(again, "alice:canary-code");
    assert_eq!(kind, CodeRejected);
    assert!(
        text.starts_with("errcode 40163: code been used, rid: "),
        "{text}"
    );
    assert_eq!(fake.exchanges_of("alice:canary-code"), 2);
}

#[tokio::test]
async fn a_code_dies_after_five_minutes() {
    let (fake, wechat) = start().await;
    let (early, late) = (fake.code("alice"), fake.code("alice"));
    fake.advance(Duration::from_secs(299));
    exchange(&wechat, &early).await.unwrap();
    exchange(&wechat, "alice:free-form").await.unwrap();

    fake.advance(Duration::from_secs(1));
    let (kind, text) = failure(exchange(&wechat, &late).await, &late);
    assert_eq!(kind, CodeRejected);
    assert!(text.starts_with("errcode 40029: "), "{text}");
}

#[tokio::test]
async fn every_errcode_has_its_class() {
    let (fake, wechat) = start().await;
    for (errcode, kind) in [
        (40029, CodeRejected),
        (40163, CodeRejected),
        (42003, CodeRejected),
        (61010, CodeRejected),
        (-1, Unavailable),
        (45011, RateLimited(Duration::from_secs(60))),
        (45009, RateLimited(Duration::from_secs(3600))),
        (40226, UserBlocked),
        (50001, UserBlocked),
        (50002, UserBlocked),
        (41008, BadRequest),
        (40013, Misconfigured),
        (41002, Misconfigured),
        (40125, Misconfigured),
        (41004, Misconfigured),
        (40164, Misconfigured),
        (48001, Misconfigured),
        (89503, Misconfigured),
        (12345, Misconfigured),
    ] {
        let code = format!("errcode-{errcode}:canary-code");
        let (seen, text) = failure(exchange(&wechat, &code).await, &code);
        assert_eq!(seen, kind, "{errcode}");
        assert!(text.starts_with(&format!("errcode {errcode}: ")), "{text}");
        assert_eq!(fake.exchanges_of(&code), 1);
    }
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
async fn wrong_credentials_are_our_mistake() {
    let fake = FakeWeChat::start().await.unwrap().with_app(APPID, SECRET);
    for (appid, secret, text) in [
        ("wxunknown", SECRET, "errcode 40013: "),
        ("", SECRET, "errcode 41002: "),
        (APPID, "cAnArYsEcReT", "errcode 40125: "),
        (APPID, "", "errcode 41004: "),
    ] {
        let wechat = WeChat::new(appid, secret);
        let wechat = wechat.with_base_url(fake.base_url()).unwrap();
        let login = LoginRequest::new(appid, "alice:canary-code");
        let (kind, cause) = failure(wechat.exchange(login).await, "alice:canary-code");
        assert_eq!(kind, Misconfigured);
        assert!(cause.starts_with(text), "{cause}");
    }
}

#[tokio::test]
async fn what_is_no_code_is_no_login() {
    let (_fake, wechat) = start().await;
    for (code, kind) in [
        ("", BadRequest),
        ("alice", CodeRejected),
        (":1", CodeRejected),
        ("errcode-x", CodeRejected),
    ] {
        assert_eq!(
            exchange(&wechat, code).await.unwrap_err().kind(),
            kind,
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_code_reaches_wechat_as_it_came() {
    let (fake, wechat) = start().await;
    let code = "al&ice=#?:+ %2B/\\\"\u{e9}\u{1f600}\r\n&secret=x";
    exchange(&wechat, code).await.unwrap();
    assert_eq!(fake.exchanges_of(code), 1);
}

#[tokio::test]
async fn an_app_that_is_not_configured_spends_no_code() {
    let (fake, wechat) = start().await;
    let login = LoginRequest::new("wxother", "alice:canary-code");
    let (kind, text) = failure(wechat.exchange(login).await, "alice:canary-code");
    assert_eq!((kind, &*text), (BadRequest, "no such app is configured"));
    assert_eq!(fake.exchanges(), 0);
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

#[tokio::test]
async fn nothing_secret_is_logged_on_the_way_even_at_trace_level() {
    let log = Log::default();
    let writer = log.clone();
    let _guard = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish()
        .set_default();
    let (_fake, wechat) = start().await;
    for name in ["alice", "busy", "reset", "cut", "error5xx"] {
        let code = format!("{name}:canary-code");
        exchange(&wechat, &code).await.ok();
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("connect"), "nothing was logged: {text}");
    assert_clean(&text, ":canary-code");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_exchange_that_is_dropped_harms_nobody() {
    let (fake, wechat) = start().await;
    let slow = wechat.clone();
    let dropped = tokio::spawn(async move { exchange(&slow, "slow:1").await.is_ok() });
    while fake.exchanges_of("slow:1") == 0 {
        tokio::task::yield_now().await;
    }
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());

    exchange(&wechat, "alice:1").await.unwrap();
    assert_eq!(fake.exchanges_of("slow:1"), 1);
}

#[tokio::test]
async fn the_fake_ends_when_it_is_dropped() {
    let (fake, wechat) = start().await;
    exchange(&wechat, "alice:1").await.unwrap();
    drop(fake);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let result = exchange(&wechat, "alice:2").await;
    assert_eq!(failure(result, "alice:2").0, Unavailable);
}

#[test]
fn it_is_built_without_a_runtime_and_shows_no_secret() {
    let wechat = wechat("http://127.0.0.1:1").with_app("wx2", "cAnArYsEcReT-2");
    for text in [format!("{wechat:?}"), format!("{wechat:#?}")] {
        assert!(!text.contains("cAnArYsEcReT"), "{text}");
        assert!(text.contains("wx2"), "{text}");
    }
}

/// The environment can only be set for another process.
#[test]
fn proxies_and_missing_root_certificates_do_not_touch_loopback() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "in_a_hostile_environment"])
        .env("HOSTILE_ENVIRONMENT", "1")
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("http_proxy", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && stdout.contains("1 passed"),
        "{stdout}"
    );
}

#[tokio::test]
#[ignore = "run by the test above, in an environment of its own"]
async fn in_a_hostile_environment() {
    if std::env::var_os("HOSTILE_ENVIRONMENT").is_none() {
        return;
    }
    let (_fake, wechat) = start().await;
    exchange(&wechat, "alice:1").await.unwrap();

    // Other systems than Linux do not take their certificates from files.
    if cfg!(target_os = "linux") {
        let official = WeChat::new(APPID, SECRET);
        let (kind, text) = failure(exchange(&official, "alice:2").await, "alice:2");
        assert_eq!(kind, Misconfigured);
        assert!(text.starts_with("cannot make an HTTP client: "), "{text}");
    }
}

/// A proxy at which every name is the fake's. Ends with its runtime.
async fn socks5_proxy(target: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let target = target.clone();
            tokio::spawn(async move {
                // A greeting with one method, answered with no authentication; then the address.
                client.read_exact(&mut [0; 3]).await.unwrap();
                client.write_all(&[5, 0]).await.unwrap();
                let mut request = [0; 5];
                client.read_exact(&mut request).await.unwrap();
                let rest = match request[3] {
                    1 => 5,
                    _ => usize::from(request[4]) + 2,
                };
                client.read_exact(&mut vec![0; rest]).await.unwrap();
                client
                    .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
                    .await
                    .unwrap();
                let mut server = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_socks_proxy_of_the_environment_is_used() {
    let (fake, _) = start().await;
    let target = fake.base_url().strip_prefix("http://").unwrap().to_owned();
    let port = socks5_proxy(target).await;
    for (scheme, there) in [("socks5", true), ("socks5h", true), ("socks5", false)] {
        let port = if there { port } else { 1 };
        let child = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "behind_a_socks_proxy"])
            .env("SOCKS_PROXY_IS_THERE", there.to_string())
            .env("ALL_PROXY", format!("{scheme}://127.0.0.1:{port}"))
            .env_remove("HTTP_PROXY")
            .env_remove("http_proxy")
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .output()
            .await
            .unwrap();
        let stdout = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && stdout.contains("1 passed"),
            "{scheme} {there} {stdout}"
        );
    }
    assert_eq!(fake.exchanges(), 2);
}

#[tokio::test]
#[ignore = "run by the test above, in an environment of its own"]
async fn behind_a_socks_proxy() {
    let Ok(there) = std::env::var("SOCKS_PROXY_IS_THERE") else {
        return;
    };
    // An address that is nobody's: only the proxy can lead to an answer.
    let wechat = wechat("http://192.0.2.1");
    let code = format!("alice:{}", std::env::var("ALL_PROXY").unwrap());
    let exchanged = exchange(&wechat, &code).await;
    if there == "true" {
        exchanged.unwrap();
    } else {
        let (kind, text) = failure(exchanged, &code);
        assert_eq!(kind, Unavailable);
        assert!(text.starts_with("cannot connect: "), "{text}");
    }
}
