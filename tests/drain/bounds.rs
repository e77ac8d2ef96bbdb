//! What is not read on, and how far the rest is.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::patient::{Answer, Request, read};
use crate::site::Site;
use crate::support::world::within_ten_seconds;

const MS: Duration = Duration::from_millis(1);
/// Shorter than what is read on by default.
const SOON: Duration = Duration::from_secs(2);

/// Sends the head of a request and the beginning of its body; gives the answer, and how long the
/// connection lasted when nothing followed.
async fn half_sent(port: u16, request: Request) -> (Answer, Duration) {
    let sending = move || -> io::Result<_> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(10 * SOON))?;
        let mut connection = BufReader::new(stream);
        let start = Instant::now();
        let stream = connection.get_mut();
        stream.write_all(request.head().as_bytes())?;
        stream.write_all(&[b'x'; 1000])?;
        let answer = read(&mut connection)?;
        match connection.read(&mut [0]) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("not closed: {other:?}"),
        }
        Ok((answer, start.elapsed()))
    };
    let half_sent = tokio::task::spawn_blocking(sending).await.unwrap();
    half_sent.unwrap()
}

fn says_close(answer: &Answer) -> bool {
    answer.head.contains("connection: close\r\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_ends_when_the_rest_takes_too_long() {
    let site = Site::start_with(|layer| layer.with_drain_limits(200 * MS, 1 << 30)).await;
    let (answer, lasted) = half_sent(site.port(), site.dead("", 1_000_000)).await;
    assert_eq!(answer.status, 401);
    assert!(200 * MS <= lasted && lasted < SOON, "{lasted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_ends_when_the_rest_is_too_long_and_the_answer_says_so() {
    let site = Site::start_with(|layer| layer.with_drain_limits(200 * MS, 1_000)).await;
    let (answer, lasted) = half_sent(site.port(), site.dead("", 1_001)).await;
    assert_eq!(answer.status, 401);
    assert!(says_close(&answer) && lasted < SOON, "{lasted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_on_where_that_is_switched_off() {
    let site = Site::start_with(|layer| layer.without_drain()).await;
    let (answer, lasted) = half_sent(site.port(), site.dead("", 1_000_000)).await;
    assert_eq!(answer.status, 401);
    assert!(says_close(&answer) && lasted < SOON, "{lasted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_is_not_read_on() {
    let site = Site::start().await;
    let upgrade = site.dead("", 1_000_000).with("connection", "upgrade");
    let (answer, lasted) = half_sent(site.port(), upgrade.with("upgrade", "websocket")).await;
    assert_eq!(answer.status, 401);
    assert!(says_close(&answer) && lasted < SOON, "{lasted:?}");
}

/// It may send the body or not, so that nobody knows where its next request begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_waits_for_100_gets_the_refusal_instead_and_the_connection_ends() {
    let site = Site::start().await;
    let waiting = site.dead("", 1_000_000).with("expect", "100-continue");
    let (answer, lasted) = half_sent(site.port(), waiting).await;
    assert_eq!(answer.status, 401);
    assert!(says_close(&answer) && lasted < SOON, "{lasted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_an_extractor_refuses_the_answer_says_that_the_connection_ends() {
    let site = Site::start().await;
    let upload = Request::post("/optional", 1_000_000);
    let (answer, lasted) = half_sent(site.port(), upload).await;
    assert_eq!(answer.status, 401);
    assert!(says_close(&answer) && lasted < SOON, "{lasted:?}");
}

type Sender = mpsc::Sender<Result<Frame<Bytes>, io::Error>>;

/// How long the server keeps the body of a refused request over HTTP/2 that does not end.
async fn kept(site: &Site, content_type: &str) -> Duration {
    let mut client = HyperClient::builder(TokioExecutor::new());
    let client = client.http2_only(true).build_http();
    let (sender, body): (Sender, _) = mpsc::channel(1);
    sender
        .try_send(Ok(Frame::data(Bytes::from_static(b"x"))))
        .unwrap();
    let request = http::Request::post(site.server.url("/upload"))
        .header("content-type", content_type)
        .body(StreamBody::new(ReceiverStream::new(body)));
    let response = within_ten_seconds(client.request(request.unwrap())).await;
    let start = Instant::now();
    assert_eq!(response.unwrap().headers()["x-wx-action"], "login");
    within_ten_seconds(sender.closed()).await;
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_grpc_stream_ends_at_once_and_an_upload_is_read_on() {
    let site = Site::start_with(|layer| layer.with_drain_limits(2 * SOON, 1 << 30)).await;
    assert!(kept(&site, "application/grpc").await < SOON);
    assert!(kept(&site, "application/octet-stream").await > SOON);
}
