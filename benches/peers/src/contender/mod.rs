//! Ways to know the user of a request: all find the token in it, validate it, and hand the handler
//! the user's id.

use std::convert::Infallible;
use std::fmt;
use std::hint::black_box;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::Service;

use crate::requests::{Credentials, Requests};
use crate::stopwatch::{Served, Spent, Timed};

pub(crate) mod axum_login;
pub(crate) mod axum_session;
pub(crate) mod bare;
pub(crate) mod floor;
pub(crate) mod hand_written;
pub(crate) mod identity_hasher;
pub(crate) mod jwt;
pub(crate) mod ours;
pub(crate) mod refusal;
mod set_cookie;
pub(crate) mod tower_sessions;
pub(crate) mod tower_sessions_moka;

pub(crate) type Body = Full<Bytes>;
pub(crate) type Answer = Result<Response<Body>, Infallible>;

/// Makes a contender with so many live sessions.
pub(crate) type Make = fn(usize) -> Contender;

/// One way, as a service under requests of sessions that are live.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    served: Box<dyn Timed>,
}

impl Contender {
    /// A service under requests with these credentials.
    fn new<S, B>(name: &'static str, service: S, credentials: Credentials) -> Self
    where
        S: Service<Request<Bytes>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
    {
        Self::under(name, service, Requests::new(Some(credentials)))
    }

    fn under<S, B>(name: &'static str, service: S, requests: Requests) -> Self
    where
        S: Service<Request<Bytes>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
    {
        let served = Box::new(Served { service, requests });
        Self { name, served }
    }
}

impl Timed for Contender {
    fn batch(&mut self) -> Spent {
        self.served.batch()
    }

    fn twin(&self, seed: u64) -> Box<dyn Timed> {
        self.served.twin(seed)
    }

    #[cfg(test)]
    fn statuses(&self, spoilt: bool) -> Vec<StatusCode> {
        self.served.statuses(spoilt)
    }
}

impl fmt::Debug for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a handler does with the user's id.
#[allow(clippy::unnecessary_wraps, reason = "the shape of a handler")]
fn handle(openid: Option<&str>) -> Answer {
    let mut response = Response::new(Body::default());
    if black_box(openid).is_none() {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    Ok(response)
}

fn refusal() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}

/// The token after `Bearer` in a request.
fn bearer<B>(request: &Request<B>) -> Option<&[u8]> {
    let value = request.headers().get(http::header::AUTHORIZATION)?;
    value.as_bytes().strip_prefix(b"Bearer ")
}

#[cfg(test)]
mod tests;
