use std::time::Duration;

use reqwest::{Client, ClientBuilder, RequestBuilder, Response};

use super::base_url::BaseUrl;
use super::call::Call;
use super::failure::Failure;
use super::hosts::Hosts;
use super::reply::Reply;

/// The answers of platforms have some 200 bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// Shorter than the keep-alive of usual servers: a connection that dies under a code costs it.
const IDLE_LIMIT: Duration = Duration::from_secs(15);

/// A client that sends every request at most once.
///
/// HTTP/2 and reqwest's policy both resend what a server says it has not handled; they are off.
/// What remains is the pool's own rule, to use another connection for a request of which the
/// dead one had not taken anything yet (hyper's `TrySendError` still holds the message).
///
/// A host that cannot be reached leaves its share of the time-out to the others.
pub(super) fn build(hosts: &Hosts, timeout: Duration) -> Result<Client, Failure> {
    let builder = Client::builder()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .referer(false)
        .connect_timeout(timeout / hosts.count())
        .pool_idle_timeout(IDLE_LIMIT);
    suited_to(hosts, builder)
        .build()
        .map_err(|error| Failure::no_client(&error))
}

/// Plain HTTP works without root certificates, and a server on this machine without the proxy.
fn suited_to(hosts: &Hosts, mut builder: ClientBuilder) -> ClientBuilder {
    if hosts.all(BaseUrl::is_plain) {
        builder = builder.tls_certs_only([]);
    }
    if hosts.all(BaseUrl::is_loopback) {
        builder = builder.no_proxy();
    }
    builder
}

/// Sends one request to the first host that takes it, and reads the answer.
///
/// It goes on to the next host only if there was no connection, so that nothing of the request, and
/// of the code in it, has left.
pub(super) async fn send(client: &Client, hosts: &Hosts, call: &Call) -> Result<Reply, Failure> {
    let mut unreachable = Failure::unreadable("no host");
    for (index, host) in hosts.in_turn() {
        match request(client, call, host).send().await {
            Err(error) if error.is_connect() => unreachable = Failure::transport(&error),
            sent => {
                hosts.note(index);
                return read(sent.map_err(|error| Failure::transport(&error))?).await;
            }
        }
    }
    Err(unreachable)
}

fn request(client: &Client, call: &Call, host: &BaseUrl) -> RequestBuilder {
    client
        .request(call.method.clone(), call.url(host))
        .headers(call.headers.clone())
        .body(call.body.clone())
}

async fn read(mut response: Response) -> Result<Reply, Failure> {
    let status = response.status();
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| Failure::transport(&error))? else {
            return Ok(Reply::new(status, body));
        };
        body.extend_from_slice(&chunk);
        if body.len() > BODY_LIMIT {
            return Err(Failure::unreadable("longer than 64 KiB").with_status(status));
        }
    }
}
