use std::convert::Infallible;
use std::ops::AddAssign;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use crate::requests::Requests;
use crate::runtime::runtime;

/// Calls timed together: so few that the requests made for them stay in the nearest cache.
pub(crate) const BATCH: usize = 256;

/// Calls, and the time they took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) calls: u64,
    pub(crate) time: Duration,
}

impl Spent {
    pub(crate) fn on_batch(time: Duration) -> Self {
        Self {
            calls: BATCH as u64,
            time,
        }
    }

    /// Nanoseconds for each call.
    pub(crate) fn nanos(self) -> f64 {
        self.time.as_nanos() as f64 / self.calls as f64
    }

    /// Calls for each second.
    pub(crate) fn rate(self) -> f64 {
        self.calls as f64 / self.time.as_secs_f64()
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.time += other.time;
    }
}

/// As many batches as take so long.
pub(crate) fn spend(mut batch: impl FnMut() -> Spent, time: Duration) -> Spent {
    let mut spent = Spent::default();
    while spent.time < time {
        spent += batch();
    }
    spent
}

/// Something that is timed by the batch: what happens for each call is static.
pub(crate) trait Timed: Send {
    /// Prepares a batch of calls, then times them.
    fn batch(&mut self) -> Spent;

    /// Another one on the same data, with calls in another order, for another thread.
    fn twin(&self, seed: u64) -> Box<dyn Timed>;

    /// The statuses of some answers, to requests with good credentials or with spoilt ones.
    #[cfg(test)]
    fn statuses(&self, spoilt: bool) -> Vec<http::StatusCode>;
}

impl Timed for Box<dyn Timed> {
    fn batch(&mut self) -> Spent {
        (**self).batch()
    }

    fn twin(&self, seed: u64) -> Box<dyn Timed> {
        (**self).twin(seed)
    }

    #[cfg(test)]
    fn statuses(&self, spoilt: bool) -> Vec<http::StatusCode> {
        (**self).statuses(spoilt)
    }
}

/// A service under requests.
pub(crate) struct Served<S> {
    pub(crate) service: S,
    pub(crate) requests: Requests,
}

impl<S, B> Timed for Served<S>
where
    S: Service<Request<Bytes>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
{
    fn batch(&mut self) -> Spent {
        let _entered = runtime().enter();
        let requests: Vec<_> = (0..BATCH).map(|_| self.requests.next()).collect();
        let start = Instant::now();
        for request in requests {
            drop(answer(&mut self.service, request));
        }
        Spent::on_batch(start.elapsed())
    }

    fn twin(&self, seed: u64) -> Box<dyn Timed> {
        Box::new(Self {
            service: self.service.clone(),
            requests: self.requests.reseeded(seed),
        })
    }

    #[cfg(test)]
    fn statuses(&self, spoilt: bool) -> Vec<http::StatusCode> {
        let _entered = runtime().enter();
        let mut requests = match spoilt {
            true => self.requests.spoilt(),
            false => self.requests.clone(),
        };
        let mut service = self.service.clone();
        let mut status = || answer(&mut service, requests.next()).status();
        (0..3).map(|_| status()).collect()
    }
}

/// The answer of a service, which is expected at once, and waited for if it is not.
#[inline]
pub(crate) fn answer<S, B>(service: &mut S, request: Request<Bytes>) -> Response<B>
where
    S: Service<Request<Bytes>, Response = Response<B>, Error = Infallible>,
{
    let mut context = Context::from_waker(Waker::noop());
    while service.poll_ready(&mut context).is_pending() {}
    let mut future = pin!(service.call(request));
    let answered = match future.as_mut().poll(&mut context) {
        Poll::Ready(answered) => answered,
        Poll::Pending => runtime().block_on(future),
    };
    match answered {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
