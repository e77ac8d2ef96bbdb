use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, Uri};
use http_body::Body;
use tower_layer::Layer;

use super::gate::Gate;
use super::service::SessionService;
use crate::drain::Drain;
use crate::response::{Responder, ResponseForRejection};
use crate::sessions::Sessions;
use crate::store::SessionStore;
use crate::token::TokenSource;

/// Layer that checks the session of every request.
///
/// See the [module docs](crate::layer) for an example.
#[derive(Debug)]
#[must_use]
pub struct SessionLayer<S> {
    gate: Arc<Gate<S>>,
}

impl<S: SessionStore> SessionLayer<S> {
    /// Requires a session, from `Authorization: Bearer`, and refuses in JSON.
    pub fn new(sessions: Sessions<S>) -> Self {
        Self {
            gate: Arc::new(Gate::new(sessions)),
        }
    }

    fn with(mut self, set: impl FnOnce(&mut Gate<S>)) -> Self {
        set(Arc::make_mut(&mut self.gate));
        self
    }

    /// Looks for the token in these places instead of `Authorization: Bearer`.
    pub fn with_sources(self, sources: impl IntoIterator<Item = TokenSource>) -> Self {
        self.with(|gate| gate.look_in(sources.into_iter().collect()))
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
    /// marked as sensitive, and it is removed from the query and from a WebSocket's protocols.
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
    pub fn with_rejection_response<R, Args>(self, response: R) -> Self
    where
        R: ResponseForRejection<Args>,
        Args: 'static,
    {
        self.with(|gate| gate.responder = Responder::new(response))
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

    /// Checks a request by its head, for hosts whose handlers are no tower services: the same rules,
    /// events and metrics as behind the layer.
    ///
    /// On success the [`Session`](crate::Session) is in the head's extensions, and the token is
    /// hidden in it; in [optional](Self::optional) mode, and where nobody
    /// [checks](Self::with_unchecked), there may be none. The body is the host's: a refused one is
    /// not read on. So is the answer: with [`TokenSource::websocket_protocol`], the host names the
    /// protocol in it, `bearer` if it speaks no other that the head offers.
    ///
    /// ```
    /// use http::{Request, StatusCode};
    /// use tower_wx_session::{Identity, Rejection, Session, SessionLayer, Sessions, store::MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sessions = Sessions::new(MemoryStore::new());
    /// let layer = SessionLayer::new(sessions.clone());
    ///
    /// let issued = sessions.issue(Identity::new("appid", "openid")).await?;
    /// let bearer = format!("Bearer {}", issued.token().expose());
    /// let request = Request::get("/me").header("authorization", bearer).body(())?;
    /// let (mut head, _body) = request.into_parts();
    /// assert!(layer.admit(&mut head).await.is_ok());
    /// assert_eq!(head.extensions.get::<Session>().unwrap().openid(), "openid");
    ///
    /// let (mut head, _body) = Request::get("/me").body(())?.into_parts();
    /// let refusal = layer.admit(&mut head).await.unwrap_err();
    /// assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
    /// assert!(refusal.extensions().get::<Rejection>().is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The answer to send, in the form that the request asks for.
    #[allow(
        clippy::result_large_err,
        reason = "the refusal is what is sent, and boxing it would make hosts unbox it"
    )]
    pub async fn admit(&self, head: &mut Parts) -> Result<(), Response<Bytes>> {
        self.gate.admit_head(head).await
    }
}

impl<I: Clone, S: SessionStore> Layer<I> for SessionLayer<S> {
    type Service = SessionService<I, S>;

    fn layer(&self, inner: I) -> Self::Service {
        SessionService::new(inner, Arc::clone(&self.gate))
    }
}

impl<S> Clone for SessionLayer<S> {
    fn clone(&self) -> Self {
        Self {
            gate: Arc::clone(&self.gate),
        }
    }
}
