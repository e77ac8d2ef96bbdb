use std::time::Duration;

use reqwest::{Client, ClientBuilder, Response, Url};

use super::answer::{self, Answer};
use super::base_url::BaseUrl;
use super::failure::Failure;

/// An answer of code2Session has about 200 bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// Shorter than the keep-alive of usual servers: a connection that dies under a code costs it.
const IDLE_LIMIT: Duration = Duration::from_secs(15);

/// A client that sends every request at most once.
///
/// HTTP/2 and reqwest's policy both resend what a server says it has not handled; they are off.
/// What remains is the pool's own rule, to use another connection for a request of which the
/// dead one had not taken anything yet (hyper's `TrySendError` still holds the message).
pub(super) fn build(base: &BaseUrl) -> Result<Client, Failure> {
    let builder = Client::builder()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .referer(false)
        .pool_idle_timeout(IDLE_LIMIT);
    suited_to(base, builder)
        .build()
        .map_err(|error| Failure::no_client(&error))
}

/// Plain HTTP works without root certificates, and a server on this machine without the proxy.
fn suited_to(base: &BaseUrl, mut builder: ClientBuilder) -> ClientBuilder {
    if base.is_plain() {
        builder = builder.tls_certs_only([]);
    }
    if base.is_loopback() {
        builder = builder.no_proxy();
    }
    builder
}

/// Sends one request to WeChat, and reads the answer.
pub(super) async fn send(client: &Client, url: Url, limit: Duration) -> Result<Answer, Failure> {
    tokio::time::timeout(limit, fetch(client, url))
        .await
        .map_err(|_| Failure::TimedOut(limit))?
}

async fn fetch(client: &Client, url: Url) -> Result<Answer, Failure> {
    let sent = client.get(url).send().await;
    let response = sent.map_err(|error| Failure::transport(&error))?;
    let status = response.status();
    let answer = read(response).await.and_then(|body| answer::parse(&body));
    answer.map_err(|failure| failure.with_status(status))
}

async fn read(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| Failure::transport(&error))? else {
            return Ok(body);
        };
        body.extend_from_slice(&chunk);
        if body.len() > BODY_LIMIT {
            return Err(Failure::unreadable("longer than 64 KiB"));
        }
    }
}
