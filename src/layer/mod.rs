//! Middleware that checks the session of every request.
//!
//! A request passes, with its [`Session`](crate::Session) in the extensions, if it carries
//! exactly one token and
//!
//! 1. the token has the form of ours, and its tag is genuine;
//! 2. the session was not revoked, kicked out or replaced;
//! 3. neither its absolute lifetime nor its idle timeout has passed;
//! 4. the store said so within the time that [`SessionsBuilder`](crate::sessions::SessionsBuilder)
//!    allows, or is unavailable and said so within the grace.
//!
//! Anything else is answered by the layer, and the inner service is not called: 401 only with
//! proof that the session is over, 503 where the store is unavailable. Every refusal says in its body
//! whether the client should call `wx.login`; see [`response`](crate::response). The
//! [`Rejection`](crate::Rejection) is in the extensions of the response.
//!
//! A session that this node knows is decided within `call`: no task, no lock, no clone of the
//! inner service. Errors of the inner service stay as they are.
//!
//! # Deployment caveat
//!
//! A layer or proxy outside of this one has seen the request with its token. Keep `Authorization`
//! and `X-WX-Skey` out of its logs, and the query too if a [`TokenSource::query`] is in use.
//!
//! # Bodies of refused requests
//!
//! A refusal does not wait for the body of the request. Were the body dropped, the server would
//! close the connection, and whoever is still sending would see that instead of the refusal: nginx
//! makes a 502 of it, and takes the node for dead; over HTTP/2 some clients fail likewise. So what
//! is left of the body is read on and thrown away in a task of its own, for 5 seconds and 64 MiB at
//! most ([`with_drain_limits`](SessionLayer::with_drain_limits)); past that the connection ends.
//!
//! The layer takes requests with bodies of any type, so it has to know the type to read one. By
//! themselves these are read, and [`Limited`](http_body_util::Limited) ones around them:
//!
//! - the body of axum, with the feature `axum`;
//! - hyper's `Incoming`, and boxed bodies with its error, with the feature `hyper`;
//! - the boxed bodies of [`http_body_util::combinators`] over [`bytes::Bytes`] with a boxed error.
//!
//! **Any other has to be named**, by [`with_drained_body`](SessionLayer::with_drained_body): tonic's
//! (`tonic::body::Body`, for grpc-web and requests that speak no gRPC), or what a layer outside of
//! this one makes, such as decompression.
//!
//! Not read are bodies that have no end to wait for: gRPC (grpc-web is read), upgrades, CONNECT. Nor
//! is that of a client over HTTP/1.1 that waits for `100 Continue`: it has not sent any. Wherever a
//! body is not read to its end, an answer over HTTP/1.1 says `Connection: close`.
//!
//! In [optional](SessionLayer::optional) mode, what an extractor or handler refuses is their answer,
//! and the body is theirs: uploads belong behind a layer that requires a session.
//!
//! # Example
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_wx_session::{Identity, Session, SessionLayer, Sessions, store::MemoryStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sessions = Sessions::new(MemoryStore::new());
//! let service = ServiceBuilder::new()
//!     .layer(SessionLayer::new(sessions.clone()))
//!     .service_fn(async |request: Request<()>| {
//!         let session = request.extensions().get::<Session>().ok_or("no session")?;
//!         Ok::<_, &str>(Response::new(session.openid().to_owned()))
//!     });
//!
//! // With a live session the handler finds it.
//! let issued = sessions.issue(Identity::new("appid", "openid")).await?;
//! let request = Request::builder()
//!     .header("authorization", format!("Bearer {}", issued.token().expose()))
//!     .body(())?;
//! let response = service.clone().oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! // Without one it is not called.
//! let response = service.oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Uri};
use http_body::Body;
use tower_layer::Layer;

mod body;
mod future;
mod gate;
mod leftover;
#[cfg(feature = "axum")]
mod no_session;
mod service;

pub use self::body::ResponseBody;
pub use self::future::ResponseFuture;
use self::gate::Gate;
#[cfg(feature = "axum")]
pub(crate) use self::no_session::NoSession;
pub use self::service::SessionService;

use crate::drain::Drain;
use crate::response::ResponseForRejection;
use crate::sessions::Sessions;
use crate::store::SessionStore;
pub use crate::token::TokenSource;

/// Layer that checks the session of every request.
///
/// See the [module docs](crate::layer) for an example.
#[derive(Debug)]
#[must_use]
pub struct SessionLayer<S> {
    gate: Gate<S>,
}

impl<S: SessionStore> SessionLayer<S> {
    /// Requires a session, from `Authorization: Bearer`, and refuses in JSON.
    pub fn new(sessions: Sessions<S>) -> Self {
        Self {
            gate: Gate::new(sessions),
        }
    }

    fn with(mut self, set: impl FnOnce(&mut Gate<S>)) -> Self {
        set(&mut self.gate);
        self
    }

    /// Looks for the token in these places instead of `Authorization: Bearer`.
    pub fn with_sources(self, sources: impl IntoIterator<Item = TokenSource>) -> Self {
        self.with(|gate| gate.sources = sources.into_iter().collect())
    }

    /// Lets requests without a token through. One with a token that is not good is refused still.
    pub fn optional(self) -> Self {
        self.with(|gate| gate.is_optional = true)
    }

    /// Lets the requests for which `is_unchecked` holds through, whatever token they carry or lack.
    ///
    /// # Danger
    ///
    /// **Each request for which the closure returns `true` reaches the inner service without
    /// authentication.** It passes with no token, with a forged one, and with that of a session that
    /// was revoked. If the closure is wider than it was meant to be, what is behind it is public, and
    /// nothing says so: there is no event, and such a request is not counted as a check.
    ///
    /// 1. The URI is the client's, as far as it reached this layer. Its path is not normalised:
    ///    `/health/../admin`, `//health` and `/%68ealth` are as they were sent, and the service behind
    ///    may read them otherwise. `starts_with("/health")` holds for `/health-records`, too.
    /// 2. Inside a nested router the prefix is gone: `/api/health` is `/health` to a layer on the
    ///    router that is nested at `/api`, and `/health` may be another route elsewhere.
    /// 3. There is no [`Session`](crate::Session) in the extensions, also where the request carries
    ///    the token of a live one. With axum, a handler that takes a `Session` is refused by its
    ///    extractor as `session_missing`, and one that takes `Option<Session>` gets `None`: a handler
    ///    that takes neither serves everybody.
    ///
    /// So compare whole paths and the method, name what is open and not what is closed, or leave the
    /// layer off those routes. The token is hidden from the inner service all the same: headers are
    /// marked as sensitive, a query parameter is removed.
    ///
    /// ```
    /// use http::{Method, Request, Response, StatusCode};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tower_wx_session::{SessionLayer, Sessions, store::MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let layer = SessionLayer::new(Sessions::new(MemoryStore::new()))
    ///     .with_unchecked(|method, uri| method == Method::GET && uri.path() == "/health");
    /// let service = layer.layer(service_fn(async |_: Request<()>| {
    ///     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    /// }));
    ///
    /// let open = Request::get("/health").body(())?;
    /// assert_eq!(service.clone().oneshot(open).await?.status(), StatusCode::OK);
    /// for path in ["/health-records", "/health/../admin", "//health"] {
    ///     let checked = Request::get(path).body(())?;
    ///     let response = service.clone().oneshot(checked).await?;
    ///     assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_unchecked<F>(self, is_unchecked: F) -> Self
    where
        F: Fn(&Method, &Uri) -> bool + Send + Sync + 'static,
    {
        self.with(|gate| gate.unchecked = Some(Arc::new(is_unchecked)))
    }

    /// Refuses with another [`Preset`](crate::response::Preset), or with what a closure makes.
    pub fn with_rejection_response<R>(self, response: R) -> Self
    where
        R: ResponseForRejection,
    {
        self.with(|gate| gate.responder = Arc::new(response))
    }

    /// How long, and how many bytes, what is left of a refused request's body is read on, so that
    /// the client sees the refusal. Default: 5 seconds, 64 MiB.
    ///
    /// See [Bodies of refused requests](crate::layer#bodies-of-refused-requests).
    pub fn with_drain_limits(self, time: Duration, bytes: u64) -> Self {
        self.with(|gate| gate.leftover.drain = Drain::within(time, bytes))
    }

    /// Drops the bodies of refused requests unread. A client that is still sending then often sees
    /// a closed connection instead of the refusal, and a proxy makes a 502 of it.
    pub fn without_drain(self) -> Self {
        self.with(|gate| gate.leftover.drain = Drain::OFF)
    }

    /// Reads on bodies of this type, too, which the layer does not know by itself.
    ///
    /// ```
    /// use tower_wx_session::{SessionLayer, Sessions, store::MemoryStore};
    ///
    /// let layer = SessionLayer::new(Sessions::new(MemoryStore::new()))
    ///     .with_drained_body::<tonic::body::Body>();
    /// ```
    pub fn with_drained_body<B>(self) -> Self
    where
        B: Body + Send + 'static,
    {
        self.with(|gate| gate.leftover.register::<B>())
    }
}

impl<I, S: SessionStore> Layer<I> for SessionLayer<S> {
    type Service = SessionService<I, S>;

    fn layer(&self, inner: I) -> Self::Service {
        SessionService::new(inner, Arc::new(self.gate.clone()))
    }
}

impl<S> Clone for SessionLayer<S> {
    fn clone(&self) -> Self {
        Self {
            gate: self.gate.clone(),
        }
    }
}
