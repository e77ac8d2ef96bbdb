//! The service that is measured, with and without the layer.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup};
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, service_fn};
use tower_wx_session::store::SessionStore;
use tower_wx_session::{ResponseBody, SessionLayer, Sessions};

/// Requests made at a time: they are still in the processor's cache when they are answered, as
/// they are in a server that has just parsed them.
const BATCH: u16 = 64;

#[allow(clippy::needless_pass_by_value, reason = "the shape of a service")]
fn inner(request: Request<()>) -> Ready<Result<Response<()>, Infallible>> {
    black_box(&request);
    ready(Ok(Response::new(())))
}

/// A service that does nothing.
pub fn bare()
-> impl Service<Request<()>, Response = Response<()>, Error = Infallible> + Clone + Send {
    service_fn(inner)
}

/// The same behind a layer.
pub fn behind<S: SessionStore>(
    layer: &SessionLayer<S>,
) -> impl Service<Request<()>, Response = Response<ResponseBody<()>>, Error = Infallible>
+ Clone
+ Send
+ use<S> {
    layer.layer(service_fn(inner))
}

/// The same behind the layer as it comes.
pub fn layered<S: SessionStore>(
    sessions: &Sessions<S>,
) -> impl Service<Request<()>, Response = Response<ResponseBody<()>>, Error = Infallible>
+ Clone
+ Send
+ use<S> {
    behind(&SessionLayer::new(sessions.clone()))
}

/// Answers a request that takes no question to the store, and drops the answer.
pub fn answer<S, B>(service: &mut S, request: Request<()>) -> StatusCode
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let mut context = Context::from_waker(Waker::noop());
    let readiness = service.poll_ready(&mut context);
    assert!(readiness.is_ready(), "nothing keeps it busy");
    let answered = pin!(service.call(request)).poll(&mut context);
    let Poll::Ready(Ok(response)) = answered else {
        unreachable!("the store was asked");
    };
    response.status()
}

/// Has criterion measure a service that gives answers of this status.
pub fn bench<S, B>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    (service, status): (&mut S, StatusCode),
    mut next: impl FnMut() -> Request<()>,
) where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    assert_eq!(answer(service, next()), status, "{name}");
    group.bench_function(name, |bencher| {
        let size = BatchSize::NumIterations(BATCH.into());
        bencher.iter_batched(&mut next, |request| answer(service, request), size);
    });
}

/// Nanoseconds that a service takes for an answer, the mean of at least so many.
pub fn nanoseconds<S, B>(
    service: &mut S,
    next: &mut impl FnMut() -> Request<()>,
    answers: usize,
) -> f64
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let batches = answers.div_ceil(BATCH.into());
    let mut spent = Duration::ZERO;
    for _ in 0..batches {
        let requests: Vec<_> = (0..BATCH).map(|_| next()).collect();
        let start = Instant::now();
        for request in requests {
            black_box(answer(service, request));
        }
        spent += start.elapsed();
    }
    spent.as_secs_f64() * 1e9 / (batches as f64 * f64::from(BATCH))
}
