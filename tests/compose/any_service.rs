//! The layer takes any service over `http`: any body, any error, any future.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::marker::PhantomPinned;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use pin_project_lite::pin_project;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_wx_session::{Rejection, Session, SessionLayer};

use crate::support::HookedStore;
use crate::support::nodes::{log_in, node, store_on_a_clock};

/// A layer and a live token: known to the layer's node or, on a cold one, to the store alone.
async fn layer(is_cold: bool) -> (SessionLayer<HookedStore>, String) {
    let (clock, store) = store_on_a_clock();
    let sessions = node(&store, &clock);
    let token = log_in(&sessions).await;
    let sessions = if is_cold {
        node(&store, &clock)
    } else {
        sessions
    };
    (SessionLayer::new(sessions), token)
}

fn request<B>(token: &str, body: B) -> Request<B> {
    let request = Request::post("/").header("authorization", format!("Bearer {token}"));
    request.body(body).unwrap()
}

#[track_caller]
fn is_refused<B>(response: &Response<B>) {
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.extensions().get::<Rejection>().is_some());
}

#[tokio::test]
async fn a_body_may_be_nothing_that_has_frames() {
    struct NoBody;
    for is_cold in [false, true] {
        let (layer, token) = layer(is_cold).await;
        let service = layer.layer(service_fn(async |request: Request<()>| {
            assert!(request.extensions().get::<Session>().is_some());
            Ok::<_, Infallible>(Response::new(NoBody))
        }));
        let response = service.clone().oneshot(request(&token, ())).await;
        assert_eq!(response.unwrap().status(), StatusCode::OK);
        is_refused(&service.oneshot(Request::new(())).await.unwrap());
    }
}

#[tokio::test]
async fn a_body_may_be_a_string() {
    let (layer, token) = layer(true).await;
    let service = layer.layer(service_fn(async |request: Request<String>| {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    }));
    let said = request(&token, "said".to_owned());
    let response = service.clone().oneshot(said).await.unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "said"
    );
    let refused = service.oneshot(Request::new(String::new())).await.unwrap();
    is_refused(&refused);
    let refusal = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(refusal.starts_with(b"{\"errcode\":401,"));
}

/// Data that is not `Bytes`.
struct Chunk(Bytes);

impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.0.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.0.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.0.advance(count);
    }
}

/// Neither `std::error::Error` nor `Debug` nor `Sync`.
struct NotAnError(Cell<u8>);

pin_project! {
    /// A body that must not move and cannot be shared, and is made in no way but its own, as the
    /// boxed bodies of frameworks are.
    struct Boxed<D> {
        frames: UnsyncBoxBody<D, NotAnError>,
        #[pin]
        _never_moves: PhantomPinned,
    }
}

impl<D: Buf + Send + 'static> Boxed<D> {
    fn of(frames: impl Body<Data = D, Error = NotAnError> + Send + 'static) -> Self {
        Self {
            frames: UnsyncBoxBody::new(frames),
            _never_moves: PhantomPinned,
        }
    }
}

impl<D: Buf> Body for Boxed<D> {
    type Data = D;
    type Error = NotAnError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<D>, NotAnError>>> {
        Pin::new(self.project().frames).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.frames.size_hint()
    }
}

type Frames<D> = mpsc::UnboundedReceiver<Result<Frame<D>, NotAnError>>;

/// A body whose frames come when the test sends them.
struct Live<D>(Frames<D>);

impl<D: Buf> Body for Live<D> {
    type Data = D;
    type Error = NotAnError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<D>, NotAnError>>> {
        self.0.poll_recv(cx)
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(3);
        hint.set_upper(33);
        hint
    }
}

/// The next frame: what is data as text, trailers as they are.
async fn next<B>(body: &mut Pin<&mut B>) -> Option<Result<Result<String, HeaderMap>, B::Error>>
where
    B: Body,
{
    let frame = poll_fn(|cx| body.as_mut().poll_frame(cx)).await?;
    Some(frame.map(|frame| match frame.into_data() {
        Ok(mut data) => {
            let bytes = data.copy_to_bytes(data.remaining());
            Ok(String::from_utf8(bytes.into()).unwrap())
        }
        Err(frame) => Err(frame.into_trailers().ok().unwrap()),
    }))
}

fn trailers() -> HeaderMap {
    let status = ("grpc-status".parse().unwrap(), "0".parse().unwrap());
    HeaderMap::from_iter([status])
}

/// Sends frames one at a time through `body`, and sees each come out as it went in, before the
/// next is sent.
async fn passes_unchanged<B, D>(body: B, send: mpsc::UnboundedSender<Result<Frame<D>, NotAnError>>)
where
    B: Body<Data = D, Error = NotAnError>,
    D: Buf + From<Bytes>,
{
    assert_eq!(body.size_hint().lower(), 3);
    assert_eq!(body.size_hint().upper(), Some(33));
    assert!(!body.is_end_stream());
    let mut body = pin!(body);
    for text in ["one", "", "three"] {
        let early = tokio::time::timeout(std::time::Duration::ZERO, next(&mut body)).await;
        assert!(early.is_err(), "a frame nobody has sent");
        send.send(Ok(Frame::data(Bytes::from(text).into())))
            .ok()
            .unwrap();
        assert_eq!(
            next(&mut body).await.unwrap().ok().unwrap(),
            Ok(text.to_owned())
        );
    }
    send.send(Ok(Frame::trailers(trailers()))).ok().unwrap();
    assert_eq!(
        next(&mut body).await.unwrap().ok().unwrap(),
        Err(trailers())
    );
    send.send(Err(NotAnError(Cell::new(7)))).ok().unwrap();
    let error = next(&mut body).await.unwrap().err().unwrap();
    assert_eq!(error.0.get(), 7);
    drop(send);
    assert!(next(&mut body).await.is_none());
}

async fn streams_both_ways<D>()
where
    D: Buf + From<Bytes> + Send + 'static,
{
    for is_cold in [false, true] {
        let (layer, token) = layer(is_cold).await;
        let (to_handler, frames) = mpsc::unbounded_channel();
        // What comes in goes out: each frame passes the layer twice.
        let service = layer.layer(service_fn(async |request: Request<Boxed<D>>| {
            Ok::<_, Infallible>(Response::new(request.into_body()))
        }));
        let request = request(&token, Boxed::of(Live(frames)));
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        passes_unchanged(response.into_body(), to_handler).await;

        let (_nothing, frames) = mpsc::unbounded_channel();
        let unknown = Request::new(Boxed::of(Live(frames)));
        let refused = service.oneshot(unknown).await.unwrap();
        is_refused(&refused);
        let length = refused.body().size_hint().exact().unwrap();
        let mut refusal = pin!(refused.into_body());
        let text = next(&mut refusal).await.unwrap().ok().unwrap().unwrap();
        assert_eq!(text.len() as u64, length);
        assert!(text.starts_with("{\"errcode\":401,"));
        assert!(refusal.is_end_stream());
        assert!(next(&mut refusal).await.is_none());
    }
}

#[tokio::test]
async fn bodies_stream_unchanged_both_ways_though_they_cannot_move_be_shared_or_be_made() {
    streams_both_ways::<Bytes>().await;
}

#[tokio::test]
async fn data_may_be_something_else_than_bytes() {
    streams_both_ways::<Chunk>().await;
}

#[tokio::test]
async fn an_inner_error_stays_what_it_is_whatever_it_is() {
    for is_cold in [false, true] {
        let (layer, token) = layer(is_cold).await;
        let mut service = layer.layer(service_fn(async |_: Request<()>| {
            Err::<Response<()>, _>(NotAnError(Cell::new(7)))
        }));
        let ready = service.ready().await.ok().unwrap();
        let NotAnError(code) = ready.call(request(&token, ())).await.err().unwrap();
        assert_eq!(code.get(), 7);
        // A refusal is a response, whatever the error.
        is_refused(&service.oneshot(Request::new(())).await.ok().unwrap());
    }
}

#[tokio::test]
async fn the_error_of_a_service_that_is_not_ready_stays_what_it_is() {
    #[derive(Clone)]
    struct NeverReady;

    impl Service<Request<()>> for NeverReady {
        type Response = Response<()>;
        type Error = NotAnError;
        type Future = std::future::Pending<Result<Response<()>, NotAnError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NotAnError>> {
            Poll::Ready(Err(NotAnError(Cell::new(9))))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            panic!("called although it is not ready")
        }
    }

    let (layer, token) = layer(false).await;
    let service = layer.layer(NeverReady);
    let NotAnError(code) = service.oneshot(request(&token, ())).await.err().unwrap();
    assert_eq!(code.get(), 9);
}

#[tokio::test]
async fn the_inner_future_need_be_neither_sync_nor_unpin() {
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    for is_cold in [false, true] {
        let (layer, token) = layer(is_cold).await;
        let service = layer.layer(service_fn(|request: Request<u8>| async move {
            // Held across the await: not `Sync`; and an `async` block is never `Unpin`.
            let seen = Cell::new(*request.body());
            yield_now().await;
            seen.set(seen.get() + 1);
            Ok::<_, Infallible>(Response::new(seen.get()))
        }));
        // A server may spawn it all the same.
        let answer = tokio::spawn(is_send(service.oneshot(request(&token, 1))));
        let response = answer.await.unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.extensions().get::<Rejection>().map(|_| ()), None);
    }
}

#[tokio::test]
async fn a_service_that_stays_on_its_thread_works_there() {
    for is_cold in [false, true] {
        let (layer, token) = layer(is_cold).await;
        let calls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&calls);
        let service = layer.layer(service_fn(move |request: Request<Rc<str>>| {
            let calls = Rc::clone(&counted);
            async move {
                yield_now().await;
                calls.set(calls.get() + 1);
                Ok::<_, Rc<str>>(Response::new(request.into_body()))
            }
        }));
        let local = async move {
            let said = request(&token, Rc::from("said"));
            let answer = spawn_local(service.clone().oneshot(said)).await;
            assert_eq!(answer.unwrap().unwrap().status(), StatusCode::OK);
            let unknown = Request::new(Rc::from("said"));
            is_refused(
                &spawn_local(service.oneshot(unknown))
                    .await
                    .unwrap()
                    .unwrap(),
            );
        };
        LocalSet::new().run_until(local).await;
        assert_eq!(calls.get(), 1);
    }
}
