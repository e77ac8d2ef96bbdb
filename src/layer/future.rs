use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::ResponseBody;
use super::gate::Gate;
use super::handshake::Handshake;
use crate::rejection::Rejection;
use crate::session::{Session, Unread};
use crate::store::SessionStore;

type Check = Pin<Box<dyn Future<Output = Result<Session, Rejection>> + Send>>;

pin_project! {
    /// Response future of [`SessionService`](super::SessionService).
    pub struct ResponseFuture<I, B, S>
    where
        I: Service<Request<B>>,
    {
        #[pin]
        state: State<I, B, S>,
    }
}

pin_project! {
    // The tag takes a word, so that whoever moves the future copies it in whole words: behind one of
    // a byte the copy goes along at an odd address, and waits for what was just written there.
    #[project = StateProj]
    #[repr(u64)]
    enum State<I, B, S>
    where
        I: Service<Request<B>>,
    {
        /// Boxed, because this state is rare and every future has room for it.
        Lookup {
            check: Check,
            gate: Arc<Gate<S>>,
            waiting: Option<Box<HeldUp<I, B>>>,
        },
        Forward {
            #[pin]
            future: I::Future,
        },
        /// Apart from `Forward`, so that nothing looks at the answer to any other request.
        Open {
            future: Pin<Box<I::Future>>,
            handshake: Handshake,
        },
        Refused {
            response: Option<Response<Bytes>>,
        },
    }
}

/// A request, and what it goes to once it is checked.
pub(super) struct HeldUp<I, B> {
    /// The one that was ready; see `SessionService::take_readied`.
    pub(super) inner: I,
    pub(super) request: Request<B>,
    pub(super) handshake: Option<Handshake>,
}

impl<I, B> HeldUp<I, B>
where
    I: Service<Request<B>>,
{
    fn call<S>(mut self) -> ResponseFuture<I, B, S> {
        let future = self.inner.call(self.request);
        match self.handshake {
            None => ResponseFuture::forward(future),
            Some(handshake) => ResponseFuture::open(future, handshake),
        }
    }
}

impl<I, B, S> ResponseFuture<I, B, S>
where
    I: Service<Request<B>>,
{
    pub(super) const fn forward(future: I::Future) -> Self {
        Self {
            state: State::Forward { future },
        }
    }

    pub(super) fn open(future: I::Future, handshake: Handshake) -> Self {
        let future = Box::pin(future);
        Self {
            state: State::Open { future, handshake },
        }
    }

    pub(super) const fn refused(response: Response<Bytes>) -> Self {
        Self {
            state: State::Refused {
                response: Some(response),
            },
        }
    }

    /// Dropping the future drops the check, and with it the inner service, which gives back what it
    /// had reserved for the request.
    pub(super) fn lookup(gate: Arc<Gate<S>>, unread: Unread, waiting: HeldUp<I, B>) -> Self
    where
        S: SessionStore,
    {
        let node = Arc::clone(gate.sessions.node());
        let check = Box::pin(async move { node.check_with_store(&unread).await });
        Self {
            state: State::Lookup {
                check,
                gate,
                waiting: Some(Box::new(waiting)),
            },
        }
    }
}

impl<I, B, S, ResBody> Future for ResponseFuture<I, B, S>
where
    I: Service<Request<B>, Response = Response<ResBody>>,
    S: SessionStore,
    B: 'static,
{
    type Output = Result<Response<ResponseBody<ResBody>>, I::Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.as_mut().project().state.project() {
            StateProj::Forward { future } => future
                .poll(cx)
                .map_ok(|response| response.map(ResponseBody::inner)),
            _ => self.poll_apart(cx),
        }
    }
}

impl<I, B, S, ResBody> ResponseFuture<I, B, S>
where
    I: Service<Request<B>, Response = Response<ResBody>>,
    S: SessionStore,
    B: 'static,
{
    /// What becomes of all but a request that passed at once.
    ///
    /// Apart, so that the others have none of its room on the stack.
    #[inline(never)]
    fn poll_apart(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<<Self as Future>::Output> {
        match self.as_mut().project().state.project() {
            StateProj::Refused { response } => {
                let response = response.take().expect("polled after completion");
                Poll::Ready(Ok(response.map(ResponseBody::refusal)))
            }
            StateProj::Open { future, handshake } => {
                let mut response = ready!(future.as_mut().poll(cx))?;
                handshake.complete(&mut response);
                Poll::Ready(Ok(response.map(ResponseBody::inner)))
            }
            StateProj::Lookup {
                check,
                gate,
                waiting,
            } => {
                let checked = ready!(check.as_mut().poll(cx));
                // Taken only now: a `Pending` above leaves the request where it is.
                let mut waiting = *waiting.take().expect("polled after completion");
                let next = match checked {
                    Ok(session) => {
                        gate.pass(session, &mut waiting.request);
                        waiting.call()
                    }
                    Err(rejection) => Self::refused(gate.refuse(waiting.request, rejection)),
                };
                self.set(next);
                // At once: nothing else would wake the task for it.
                self.poll(cx)
            }
            StateProj::Forward { .. } => self.poll(cx),
        }
    }
}

impl<I, B, S> fmt::Debug for ResponseFuture<I, B, S>
where
    I: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
