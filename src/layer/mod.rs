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
//! and `X-WX-Skey` out of its logs, and what else a [`TokenSource`] in use names: the query,
//! `Sec-WebSocket-Protocol`. Behind this layer headers with a token are marked as sensitive, and it is
//! gone from the others, whatever the method, and whether the request is checked.
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
//! Not read are bodies that have no end to wait for: gRPC (grpc-web is read), streams of Connect's over
//! HTTP/2, upgrades, CONNECT. Nor is that of a client over HTTP/1.1 that waits for `100 Continue`: it
//! has not sent any. Wherever a body is not read to its end, an answer over HTTP/1.1 says
//! `Connection: close`.
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

mod body;
mod future;
mod gate;
mod handshake;
mod leftover;
#[cfg(feature = "axum")]
mod no_session;
mod raw;
mod service;
mod session_layer;

pub use self::body::ResponseBody;
pub use self::future::ResponseFuture;
#[cfg(feature = "axum")]
pub(crate) use self::no_session::NoSession;
pub use self::service::SessionService;
pub use self::session_layer::SessionLayer;
pub use crate::token::TokenSource;
