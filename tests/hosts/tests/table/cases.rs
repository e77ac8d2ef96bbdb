//! What every host has to pass.

use std::time::Duration;

use hosts::site::Site;
use hosts::support::case::{Headers, bearer, bring_about};
use hosts::support::golden::{Golden, LAYER, golden};
use hosts::support::grpc_golden;
use hosts::support::http::{Answer, Server, client};
use hosts::support::nodes::node_with;
use hosts::support::world::{HOUR, World, within_ten_seconds};
use http::{Response, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_wx_session::response::Preset;
use tower_wx_session::store::AnyStore;
use tower_wx_session::{Identity, Rejection, SessionLayer, TokenSource};

/// The layer of a node that knows no session yet.
fn layer(world: &World) -> SessionLayer<AnyStore> {
    let store = AnyStore::new(world.store.clone());
    let deadline = Duration::from_secs(5);
    let node = node_with(&store, &world.clock, |node| node.store_deadline(deadline));
    SessionLayer::new(node).with_sources([TokenSource::bearer(), TokenSource::skey()])
}

async fn token_of(world: &World, name: &str) -> String {
    let issued = world.sessions.issue(Identity::new("wxa", name)).await;
    issued.unwrap().token().expose().to_owned()
}

/// A host that is up, and what it serves.
struct Host {
    server: Server,
    site: Site,
    client: reqwest::Client,
}

impl Host {
    async fn start(start: impl AsyncFnOnce(Site) -> Server, layer: SessionLayer<AnyStore>) -> Self {
        let site = Site::new(layer);
        let server = start(site.clone()).await;
        let client = client(Version::HTTP_11);
        Self { server, site, client }
    }

    fn post(&self, path: &str, headers: &Headers) -> reqwest::RequestBuilder {
        let request = self.client.post(self.server.url(path));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }

    async fn get(&self, path: &str, headers: &Headers) -> Answer {
        let request = self.client.get(self.server.url(path));
        let send = |request: reqwest::RequestBuilder, (name, value): &(&'static str, String)| {
            request.header(*name, value)
        };
        answer(headers.iter().fold(request, send)).await
    }

    async fn me(&self, headers: &Headers) -> Answer {
        self.get("/me", headers).await
    }

    async fn greets(&self, headers: &Headers, name: &str) {
        let answer = self.me(headers).await;
        assert_eq!((answer.status, &*answer.body), (200, name), "{headers:?}");
    }
}

/// The answer, without what hosts add to every one of theirs.
async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let mut answer = Answer::to(request).await;
    let own = ["server", "x-frame-options", "x-content-type-options", "permissions-policy"];
    answer.headers.retain(|(name, _)| !own.contains(&&**name));
    answer
}

fn expected(row: &Golden, status: u16) -> Answer {
    let mut headers = vec![
        ("cache-control", "no-store"),
        ("content-type", "application/json"),
        ("x-wx-action", row.action()),
    ];
    headers.extend(row.challenge.map(|challenge| ("www-authenticate", challenge)));
    headers.extend(row.retry_after.map(|seconds| ("retry-after", seconds)));
    Answer::new(status, &headers, row.json)
}

pub async fn every_refusal_arrives_to_the_byte(start: impl AsyncFn(Site) -> Server) {
    for row in LAYER {
        let world = World::with(|node| node.lifetime(3 * HOUR).sessions_per_user(1)).await;
        let headers = bring_about(row.case, &world).await;
        let host = Host::start(&start, layer(&world)).await;
        assert_eq!(host.me(&headers).await, expected(row, row.status), "{}", row.case);
        let posted = answer(host.post("/me", &headers).body("body")).await;
        assert_eq!(posted, expected(row, row.status), "POST, {}", row.case);
        assert_eq!(host.site.calls(), 0, "{}", row.case);
    }
}

pub async fn a_live_session_reaches_the_handler(start: impl AsyncFn(Site) -> Server) {
    let world = World::new().await;
    let token = token_of(&world, "alice").await;
    let host = Host::start(&start, layer(&world)).await;
    // Read from the store, and then known.
    for _ in 0..2 {
        host.greets(&bearer(&token), "alice").await;
    }
    for value in [format!("bearer  {token}"), format!("BEARER {token} ")] {
        host.greets(&vec![("authorization", value)], "alice").await;
    }
    host.greets(&vec![("x-wx-skey", token.clone())], "alice").await;
    let other_scheme = ("authorization", "Basic YTpi".to_owned());
    host.greets(&vec![other_scheme, ("x-wx-skey", token)], "alice").await;
    assert_eq!(host.site.calls(), 6);
}

pub async fn two_tokens_are_refused(start: impl AsyncFn(Site) -> Server) {
    let world = World::new().await;
    let (alice, bob) = (token_of(&world, "alice").await, token_of(&world, "bob").await);
    let host = Host::start(&start, layer(&world)).await;
    let mut both = bearer(&alice);
    both.push(("x-wx-skey", bob));
    let several = golden(LAYER, "several");
    assert_eq!(host.me(&both).await, expected(several, 400));
    // The same one twice is one.
    let mut twice = bearer(&alice);
    twice.push(("x-wx-skey", alice));
    host.greets(&twice, "alice").await;
}

pub async fn ok_json_is_a_refusal_all_the_same(start: impl AsyncFn(Site) -> Server) {
    let world = World::new().await;
    let token = token_of(&world, "alice").await;
    let layer = layer(&world).with_rejection_response(Preset::OkJson);
    let host = Host::start(&start, layer).await;
    for (case, headers) in [("missing", Headers::new()), ("malformed", bearer("rubbish"))] {
        assert_eq!(host.me(&headers).await, expected(golden(LAYER, case), 200));
    }
    assert_eq!(host.site.calls(), 0);
    host.greets(&bearer(&token), "alice").await;
}

pub async fn a_header_that_is_repeated_arrives_as_often(start: impl AsyncFn(Site) -> Server) {
    let world = World::new().await;
    let layer = layer(&world).with_rejection_response(|_: &Rejection| {
        let response = Response::builder().status(418).header("content-type", "text/plain");
        let response = response.header("set-cookie", "a=1").header("set-cookie", "b=2");
        response.body("teapot".into()).unwrap()
    });
    let host = Host::start(&start, layer).await;
    let headers = [
        ("content-type", "text/plain"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-wx-action", "login"),
    ];
    assert_eq!(host.me(&Headers::new()).await, Answer::new(418, &headers, "teapot"));
}

pub async fn optional_lets_only_a_missing_token_through(start: impl AsyncFn(Site) -> Server) {
    let world = World::new().await;
    let token = token_of(&world, "alice").await;
    let host = Host::start(&start, layer(&world).optional()).await;
    let maybe = async |headers: &Headers| host.get("/maybe", headers).await;

    let nobody = maybe(&Headers::new()).await;
    assert_eq!((nobody.status, &*nobody.body), (200, "nobody"));
    let malformed = expected(golden(LAYER, "malformed"), 401);
    assert_eq!(maybe(&bearer("rubbish")).await, malformed);
    world.outage.of_all();
    let unavailable = expected(golden(LAYER, "store down"), 503);
    assert_eq!(maybe(&bearer(&token)).await, unavailable);
    world.outage.is_over();
    assert_eq!(maybe(&bearer(&token)).await.body, "alice");
    assert_eq!(host.site.calls(), 2);
}

pub async fn grpc_is_refused_in_grpc(start: impl AsyncFn(Site) -> Server) {
    let world = World::new().await;
    let host = Host::start(&start, layer(&world)).await;
    let row = grpc_golden::golden(grpc_golden::LAYER, "malformed");
    let mut headers = bearer("rubbish");
    headers.push(("content-type", "application/grpc-web+proto".to_owned()));
    let refusal = answer(host.post("/me", &headers).body(vec![0; 5])).await;
    let headers = [
        ("cache-control", "no-store"),
        ("content-type", "application/grpc-web+proto"),
        ("grpc-message", row.message),
        ("grpc-status", "16"),
        ("grpc-status-details-bin", row.details),
        ("x-wx-action", row.action),
    ];
    assert_eq!(refusal, Answer::new(200, &headers, ""));
}

/// A client that sends everything before it reads.
struct Uploader(TcpStream);

impl Uploader {
    async fn connect(host: &Host) -> Self {
        let url = host.server.url("");
        let address = url.strip_prefix("http://").unwrap();
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Whether all could be sent, and the answer, if there is one.
    async fn upload(&mut self, bytes: usize) -> (bool, String) {
        let head = format!("POST /me HTTP/1.1\r\nHost: host\r\nContent-Length: {bytes}\r\n\r\n");
        let request = [head.into_bytes(), vec![b'x'; bytes]].concat();
        let sent = self.0.write_all(&request).await;
        let mut answer = Vec::new();
        while !is_whole(&answer) && self.0.read_buf(&mut answer).await.is_ok_and(|n| n > 0) {}
        (sent.is_ok(), String::from_utf8_lossy(&answer).to_lowercase())
    }
}

/// Some hosts do not know the length of a boxed body, and send it in chunks.
fn is_whole(refusal: &[u8]) -> bool {
    let is_chunked = String::from_utf8_lossy(refusal).to_lowercase().contains("chunked");
    refusal.ends_with(if is_chunked { b"}\r\n0\r\n\r\n" } else { b"}" })
}

/// More than the buffers of both ends take.
const LARGE: usize = 16 << 20;

pub async fn a_refused_upload_is_read_on_and_the_connection_lives(
    start: impl AsyncFn(Site) -> Server,
) {
    let world = World::new().await;
    let host = Host::start(&start, layer(&world)).await;
    let mut client = Uploader::connect(&host).await;
    for turn in 1..=3 {
        let (_, answer) = within_ten_seconds(client.upload(1 << 20)).await;
        assert!(answer.starts_with("http/1.1 401 "), "{turn}: {answer:?}");
        assert!(!answer.contains("connection: close"), "{turn}: {answer}");
    }
    assert_eq!(host.site.calls(), 0);
}

pub async fn a_refused_upload_is_read_on_and_the_connection_ends(
    start: impl AsyncFn(Site) -> Server,
) {
    let world = World::new().await;
    let host = Host::start(&start, layer(&world)).await;
    let mut client = Uploader::connect(&host).await;
    let (is_sent, answer) = within_ten_seconds(client.upload(LARGE)).await;
    assert!(is_sent, "{answer}");
    assert!(answer.starts_with("http/1.1 401 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(host.site.calls(), 0);
}

/// What the guide says of the hosts whose guard drops the body.
pub async fn a_refused_upload_ends_the_connection(start: impl AsyncFn(Site) -> Server) {
    let world = World::new().await;
    let host = Host::start(&start, layer(&world)).await;
    let mut client = Uploader::connect(&host).await;
    let (is_sent, _) = within_ten_seconds(client.upload(LARGE)).await;
    assert!(!is_sent, "the host reads on: the guide is out of date");
    assert_eq!(host.site.calls(), 0);
}

/// What the guide warns of: only Rocket has its check in the extractor.
pub async fn a_handler_with_an_option_runs_and_its_answer_is_the_refusal(
    start: impl AsyncFn(Site) -> Server,
) {
    let world = World::new().await;
    let token = token_of(&world, "alice").await;
    let host = Host::start(&start, layer(&world)).await;
    let refusal = host.get("/option", &bearer("rubbish")).await;
    assert_eq!(refusal, expected(golden(LAYER, "malformed"), 401));
    assert_eq!(host.site.calls(), 1);
    assert_eq!(host.get("/option", &bearer(&token)).await.body, "alice");
}
