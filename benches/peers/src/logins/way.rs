use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request};
use http_body_util::Full;

use crate::operations::burst::{Burst, Spent};
use crate::requests::headers;

type LogIn = dyn Fn(usize) -> BoxFuture<'static, ()> + Send + Sync;

/// One way of logging users in.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) name: String,
    log_in: Arc<LogIn>,
}

impl Way {
    /// Calls that with the number of each user.
    pub(super) fn new<F>(name: &str, log_in: impl Fn(usize) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self {
            name: name.to_owned(),
            log_in: Arc::new(move |user| Box::pin(log_in(user))),
        }
    }

    /// Has users log in from this one on.
    pub(super) async fn spend(&self, from: usize, burst: Burst) -> Result<Spent, Box<dyn Error>> {
        let log_in = Arc::clone(&self.log_in);
        Ok(burst.of(move |number| log_in(from + number)).await?)
    }
}

/// The request of a client that has a code of its own for each user.
pub(super) fn request(headers: &HeaderMap, user: usize) -> Request<Full<Bytes>> {
    let body = format!(r#"{{"code":"0a3F{user:028}"}}"#);
    let mut request = Request::post("/login")
        .body(Full::from(body))
        .expect("a path is a URI");
    request.headers_mut().clone_from(headers);
    request
}

/// What clients send.
pub(super) fn client() -> Arc<HeaderMap> {
    Arc::new(headers())
}
