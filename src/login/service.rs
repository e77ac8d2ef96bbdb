use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use super::answer::answer;
use super::desk::Desk;
use super::form::Form;
use super::on_login::{OnLogin, hook};
use super::provider::IdentityProvider;
use crate::response::ResponseForRejection;
use crate::store::SessionStore;
use crate::{Rejection, Sessions};

/// The login endpoint: a service that turns a login code into a session.
///
/// See the [module docs](crate::login) for what it takes and answers, and for an example.
#[derive(Debug)]
#[must_use]
pub struct Login<S, P> {
    desk: Desk<S, P>,
}

impl<S: SessionStore, P: IdentityProvider> Login<S, P> {
    /// Logs in whoever the provider vouches for, and answers in JSON.
    pub fn new(sessions: Sessions<S>, provider: P) -> Self {
        Self {
            desk: Desk::new(sessions, provider),
        }
    }

    fn with(mut self, set: impl FnOnce(&mut Desk<S, P>)) -> Self {
        set(&mut self.desk);
        self
    }

    /// Runs `on_login` before a session exists: to create the user's row, refuse a banned user,
    /// or give the session data (any serde value; `()` for none).
    ///
    /// It runs once per code, and once more if the code's session could not be stored and the
    /// client repeats the code. A closure that captures something has to hand clones of it to its
    /// future.
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
    pub fn on_login<F>(self, on_login: F) -> Self
    where
        F: for<'a> OnLogin<'a> + 'static,
    {
        self.with(|desk| desk.on_login = Some(hook(on_login)))
    }

    /// Refuses with another [`Preset`](crate::response::Preset), or with what a closure makes.
    ///
    /// [`Preset::Wafer`](crate::response::Preset::Wafer) also has the endpoint take a GET with
    /// `X-WX-Code`, and answer in a form that both generations of Wafer clients read.
    pub fn with_rejection_response<R>(self, response: R) -> Self
    where
        R: ResponseForRejection,
    {
        self.with(|desk| desk.responder = Arc::new(response))
    }

    /// Refuses every repeat of a code, instead of answering it within 5 s with the same token.
    pub fn without_replay(self) -> Self {
        self.with(|desk| desk.replays = false)
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
        let desk = self.desk.clone();
        LoginFuture(Box::pin(async move {
            let responder = Arc::clone(&desk.responder);
            let form = Form::read(request, responder.serves_wafer()).await;
            let result = match form {
                Ok(form) => desk.serve(form).await,
                Err(kind) => Err(Rejection::from(kind)),
            };
            answer(&*responder, result).map(Full::new)
        }))
    }
}

impl<S, P> Clone for Login<S, P> {
    fn clone(&self) -> Self {
        Self {
            desk: self.desk.clone(),
        }
    }
}

/// Response future of [`Login`].
pub struct LoginFuture(Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>);

impl Future for LoginFuture {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for LoginFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginFuture").finish_non_exhaustive()
    }
}
