use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::ResponseBody;
use super::future::{HeldUp, ResponseFuture};
use super::gate::{Admission, Gate};
use super::handshake::Handshake;
use crate::store::SessionStore;

/// Middleware that checks the session of every request.
///
/// See the [module docs](crate::layer) for an example.
#[derive(Debug)]
pub struct SessionService<I, S> {
    inner: I,
    gate: Arc<Gate<S>>,
}

impl<I, S> SessionService<I, S> {
    pub(super) const fn new(inner: I, gate: Arc<Gate<S>>) -> Self {
        Self { inner, gate }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &I {
        &self.inner
    }

    /// The inner service, to change it.
    pub const fn get_mut(&mut self) -> &mut I {
        &mut self.inner
    }

    /// The inner service, without the middleware.
    pub fn into_inner(self) -> I {
        self.inner
    }
}

impl<I, S, B, ResBody> Service<Request<B>> for SessionService<I, S>
where
    I: Service<Request<B>, Response = Response<ResBody>> + Clone,
    S: SessionStore,
    B: 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = I::Error;
    type Future = ResponseFuture<I, B, S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let handshake = self.gate.handshake(&request);
        match self.gate.admit(&mut request) {
            Admission::Pass => match handshake {
                None => ResponseFuture::forward(self.inner.call(request)),
                Some(handshake) => self.open(request, handshake),
            },
            Admission::Refuse(rejection) => {
                // What the inner service has reserved for this request is given back.
                drop(self.take_readied());
                ResponseFuture::refused(self.gate.refuse(request, rejection))
            }
            Admission::Lookup(unread) => {
                let inner = self.take_readied();
                let waiting = HeldUp {
                    inner,
                    request,
                    handshake,
                };
                ResponseFuture::lookup(Arc::clone(&self.gate), unread, waiting)
            }
        }
    }
}

impl<I, S> SessionService<I, S> {
    /// Apart, so that it costs other requests nothing.
    #[cold]
    fn open<B>(&mut self, request: Request<B>, handshake: Handshake) -> ResponseFuture<I, B, S>
    where
        I: Service<Request<B>>,
    {
        ResponseFuture::open(self.inner.call(request), handshake)
    }
}

impl<I: Clone, S> SessionService<I, S> {
    /// The clone may not be ready: it stays behind, the readied service goes along.
    fn take_readied(&mut self) -> I {
        let clone = self.inner.clone();
        mem::replace(&mut self.inner, clone)
    }
}

impl<I: Clone, S> Clone for SessionService<I, S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            gate: Arc::clone(&self.gate),
        }
    }
}
