//! A real server and a real client.

use std::fmt::Debug;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::{HeaderValue, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tower_wx_session::Rejection;

/// Listens on a free port until it is dropped.
pub struct Server {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `app`, and tells of the `Rejection` in a response's extensions by `X-Rejection`.
    pub async fn start(app: Router) -> Self {
        let app = app.layer(from_fn(tell_rejection));
        Self::serving(|listener| axum::serve(listener, app).into_future()).await
    }

    /// Has something else than axum serve.
    pub async fn serving<F, E>(serve: impl FnOnce(TcpListener) -> F) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Debug,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        Self::listening(addr, serve(listener))
    }

    /// Has something serve that listens there already, or is about to.
    pub fn listening<F, E>(addr: SocketAddr, serving: F) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Debug,
    {
        let task = tokio::spawn(async move { serving.await.unwrap() });
        Self { addr, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Sends bytes on a connection of their own; gives all that comes back until it is closed.
    pub async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        // The server may answer and close before it has read all.
        stream.write_all(request).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn tell_rejection(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(rejection) = response.extensions().get::<Rejection>() {
        let wait = rejection.retry_after().map(|wait| wait.as_secs());
        let text = format!("{:?} {wait:?}", rejection.kind());
        let text = HeaderValue::try_from(text).unwrap();
        response.headers_mut().insert("x-rejection", text);
    }
    response
}

/// A client that speaks one version of HTTP, whatever the environment.
pub fn client(version: Version) -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    match version {
        Version::HTTP_2 => builder.http2_prior_knowledge(),
        _ => builder.http1_only(),
    }
    .build()
    .unwrap()
}

/// All that an answer says, but for the headers of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Sorted.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl Into<String>) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut headers: Vec<_> = headers.iter().map(owned).collect();
        headers.sort();
        let body = body.into();
        Self {
            status,
            headers,
            body,
        }
    }

    pub async fn to(request: reqwest::RequestBuilder) -> Self {
        Self::read(request.send().await.unwrap()).await
    }

    pub async fn read(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let length = response.headers().get("content-length").cloned();
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let transport = ["date", "content-length", "transfer-encoding", "connection"];
        let mut headers: Vec<_> = response
            .headers()
            .iter()
            .filter(|(name, _)| !transport.contains(&name.as_str()))
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect();
        headers.sort();
        let body = response.text().await.unwrap();
        if let Some(length) = length {
            assert!(text(&length) == body.len().to_string() || body.is_empty());
        }
        Self {
            status,
            headers,
            body,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| &**value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The `reason` in the body; empty if there is none.
    pub fn reason(&self) -> String {
        self.json()["reason"].as_str().unwrap_or("").to_owned()
    }

    /// The token in the answer to a login.
    #[track_caller]
    pub fn token(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["token"].as_str().unwrap().to_owned()
    }
}
