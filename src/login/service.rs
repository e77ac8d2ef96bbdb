use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tokio::time::Instant;
use tower_service::Service;

use super::cloud_hosting::CloudHosting;
use super::credentials::Credentials;
use super::endpoint::respond;
use super::flow::LoginFlow;
use super::future::LoginFuture;
use super::lanes::Lanes;
use super::on_login::{OnLogin, hook};
use super::provider::IdentityProvider;
use crate::drain::Drain;
use crate::rejection::Rejection;
use crate::response::{Responder, ResponseForRejection};
use crate::sessions::{Issued, Sessions};
use crate::store::SessionStore;

/// The login endpoint: a service that turns a login code into a session.
///
/// See the [module docs](crate::login) for what it takes and answers, and for an example.
#[derive(Debug)]
#[must_use]
pub struct Login<S, P> {
    flow: LoginFlow<S, P>,
}

impl<S: SessionStore, P: IdentityProvider> Login<S, P> {
    /// Logs in whoever the provider vouches for, and answers in JSON.
    pub fn new(sessions: Sessions<S>, provider: P) -> Self {
        Self {
            flow: LoginFlow::new(sessions, provider),
        }
    }

    fn with(mut self, set: impl FnOnce(&mut LoginFlow<S, P>)) -> Self {
        set(&mut self.flow);
        self
    }

    /// Runs `on_login` before a session exists: to create the user's row, refuse a banned user,
    /// or give the session data (any serde value; `()` for none). Data that cannot be written as
    /// JSON is a mistake of ours: 500 `provider_misconfigured`, and the cause in the log.
    ///
    /// It runs once per code, and once more if the code's session could not be stored and the
    /// client repeats the code. It is dropped at the [deadline](Self::with_deadline).
    ///
    /// ```
    /// use tower_wx_session::{Identity, Sessions, login::{Login, Refusal}, store::MemoryStore};
    /// # use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
    /// # struct Platform;
    /// # impl IdentityProvider for Platform {
    /// #     fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> { Some("appid") }
    /// #     async fn exchange(&self, _: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
    /// #         Ok(Exchanged::new(Identity::new("appid", "openid")))
    /// #     }
    /// # }
    ///
    /// let sessions = Sessions::new(MemoryStore::new());
    /// let login = Login::new(sessions, Platform).on_login(async |identity: &Identity| {
    ///     if identity.openid() == "banned" {
    ///         return Err(Refusal::blocked());
    ///     }
    ///     Ok("the user's role")
    /// });
    /// ```
    ///
    /// Where something is captured, such as a pool of connections, the future gets clones: it must
    /// not borrow from the closure, which serves many logins at the same time, so an `async`
    /// closure will not do.
    ///
    /// ```
    /// # use http::{Request, StatusCode};
    /// # use tower::ServiceExt;
    /// use tower_wx_session::{Identity, Sessions, login::{Login, Refusal}, store::MemoryStore};
    /// # use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
    /// # struct Platform;
    /// # impl IdentityProvider for Platform {
    /// #     fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> { Some("appid") }
    /// #     async fn exchange(&self, login: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
    /// #         Ok(Exchanged::new(Identity::new("appid", login.code())))
    /// #     }
    /// # }
    /// # #[derive(Clone)]
    /// # struct Db;
    /// # impl Db {
    /// #     async fn role_of(&self, user: &Identity) -> Result<Option<String>, std::io::Error> {
    /// #         Ok((user.openid() == "alice").then(|| "admin".to_owned()))
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let db = Db;
    ///
    /// let sessions = Sessions::new(MemoryStore::new());
    /// let login = Login::new(sessions, Platform).on_login(move |identity: &Identity| {
    ///     let (db, identity) = (db.clone(), identity.clone());
    ///     async move {
    ///         let role = db.role_of(&identity).await.map_err(Refusal::unavailable)?;
    ///         role.ok_or_else(Refusal::blocked)
    ///     }
    /// });
    /// # for (code, status) in [("alice", StatusCode::OK), ("bob", StatusCode::FORBIDDEN)] {
    /// #     let request = Request::post("/").body(format!(r#"{{"code":"{code}"}}"#))?;
    /// #     assert_eq!(login.clone().oneshot(request).await?.status(), status);
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_login<F>(self, on_login: F) -> Self
    where
        F: for<'a> OnLogin<'a> + 'static,
    {
        self.with(|flow| flow.on_login = Some(hook(on_login)))
    }

    /// Logs in without a code whoever the headers of WeChat Cloud Hosting name. Default: nobody.
    ///
    /// That is for a `POST` whose body is empty, or an object without a code; a code counts before
    /// the headers. Read [when it is safe](CloudHosting#when-it-is-safe) first. The app has to be
    /// one that the provider [resolves](IdentityProvider::resolve), so of
    /// [`Platforms`](super::Platforms) WeChat is the first; the others are a bad request, and so is
    /// a request that names no user. There is no session_key, and every request gets a session of
    /// its own.
    pub fn with_cloud_hosting(self, cloud: CloudHosting) -> Self {
        self.with(|flow| flow.cloud_hosting = Some(cloud))
    }

    /// Refuses with another [`Preset`](crate::response::Preset), or with what a closure makes.
    ///
    /// [`Preset::Wafer`](crate::response::Preset::Wafer) also has the endpoint take a GET with
    /// `X-WX-Code`, and answer in a form that both generations of Wafer clients read.
    pub fn with_rejection_response<R, Args>(self, response: R) -> Self
    where
        R: ResponseForRejection<Args>,
        Args: 'static,
    {
        self.with(|flow| flow.responder = Responder::new(response))
    }

    /// The longest that a login takes, from the request to the answer. Default: 10 seconds.
    ///
    /// A body that has not come by then is a bad request. If the provider or `on_login` has not
    /// answered, it is dropped, the client gets 503 `provider_unavailable`, and the code stays
    /// spent. Half of it may go by in [waiting for a turn](Self::with_exchanges_in_flight), so the
    /// other half has to leave room for the provider's own time-out (3 s at WeChat).
    pub fn with_deadline(self, deadline: Duration) -> Self {
        self.with(|flow| flow.deadline = deadline)
    }

    /// How many codes are exchanged at a platform at the same time, at least one. Default: 64, for
    /// each of several [`Platforms`](super::Platforms).
    ///
    /// A login beyond that waits for its turn, for at most half of the
    /// [deadline](Self::with_deadline), so that the other half is left for the exchange. If its turn
    /// does not come, or 4096 wait already, the client gets 503 `provider_unavailable` with a
    /// `Retry-After` of 3 to 6 s, and the code is not spent. So at 200 ms for an exchange some 1600
    /// logins may come at once.
    pub fn with_exchanges_in_flight(self, most: usize) -> Self {
        self.with(|flow| flow.lanes = Arc::new(Lanes::new(most)))
    }

    /// How long, and how many bytes, what is left of a request's body is read on behind an answer
    /// that did not need it, so that the client sees the answer. Default: 5 seconds, 64 MiB.
    ///
    /// See [Bodies of refused requests](crate::layer#bodies-of-refused-requests).
    pub fn with_drain_limits(self, time: Duration, bytes: u64) -> Self {
        self.with(|flow| flow.drain = Drain::within(time, bytes))
    }

    /// Drops what is left of a body. A client that is still sending then often sees a closed
    /// connection instead of the answer, and a proxy makes a 502 of it.
    pub fn without_drain(self) -> Self {
        self.with(|flow| flow.drain = Drain::OFF)
    }

    /// Logs in without HTTP, such as from a gRPC method or a WebSocket: the same codes, limits,
    /// [`on_login`](Self::on_login) and deadline as for requests to the service.
    ///
    /// ```
    /// # use tower_wx_session::login::{ExchangeError, Exchanged, IdentityProvider, LoginRequest};
    /// # use tower_wx_session::{Identity, RejectionKind, Sessions, login::Login, store::MemoryStore};
    /// # struct Platform;
    /// # impl IdentityProvider for Platform {
    /// #     fn resolve<'a>(&'a self, _: Option<&'a str>) -> Option<&'a str> { Some("appid") }
    /// #     async fn exchange(&self, _: LoginRequest<'_>) -> Result<Exchanged, ExchangeError> {
    /// #         Ok(Exchanged::new(Identity::new("appid", "openid")))
    /// #     }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_wx_session::Rejection> {
    /// let login = Login::new(Sessions::new(MemoryStore::new()), Platform);
    /// let issued = login.log_in("a code").await?;
    /// assert_eq!(issued.session().openid(), "openid");
    ///
    /// let rejection = login.log_in("").await.unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::BadRequest);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Whatever the service would refuse the login with.
    pub async fn log_in(&self, credentials: impl Into<Credentials>) -> Result<Issued, Rejection> {
        let flow = self.flow.clone();
        flow.serve(credentials.into(), Instant::now()).await
    }

    /// Refuses every repeat of a code, instead of answering it within 5 s with the same token.
    pub fn without_replay(self) -> Self {
        self.with(|flow| flow.replays = false)
    }
}

impl<S, P, B> Service<Request<B>> for Login<S, P>
where
    S: SessionStore,
    P: IdentityProvider,
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = LoginFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let response = respond(self.flow.clone(), request, Instant::now());
        LoginFuture::new(response)
    }
}

impl<S, P> Clone for Login<S, P> {
    fn clone(&self) -> Self {
        Self {
            flow: self.flow.clone(),
        }
    }
}
