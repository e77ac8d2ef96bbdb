use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::redis_server::RedisServer;

/// How often something is done, and how many times of it are in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Burst<'a> {
    pub(crate) server: &'a RedisServer,
    pub(crate) in_flight: usize,
    pub(crate) times: usize,
}

/// What a burst took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    pub(crate) time: Duration,
    /// Of that, the server's processor.
    pub(crate) processor: Duration,
}

impl Burst<'_> {
    /// Acts on each of the numbers below `times`.
    pub(crate) async fn of<F: Future<Output = ()> + Send + 'static>(
        self,
        act: impl Fn(usize) -> F + Send + Sync + 'static,
    ) -> io::Result<Spent> {
        let act = Arc::new(act);
        let (start, before) = (Instant::now(), self.server.processor_time()?);
        let workers: Vec<_> = (0..self.in_flight)
            .map(|worker| tokio::spawn(self.share_of(worker, Arc::clone(&act))))
            .collect();
        for worker in workers {
            worker.await?;
        }
        Ok(Spent {
            time: start.elapsed(),
            processor: self.server.processor_time()? - before,
        })
    }

    /// What one of those in flight does, one after the other.
    fn share_of<F: Future<Output = ()> + Send + 'static>(
        self,
        worker: usize,
        act: Arc<impl Fn(usize) -> F + Send + Sync + 'static>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let numbers = (worker..self.times).step_by(self.in_flight);
        async move {
            for number in numbers {
                act(number).await;
            }
        }
    }
}
