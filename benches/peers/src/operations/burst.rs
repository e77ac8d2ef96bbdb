use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinError;

use crate::latency::Latencies;

/// How often something is done, and how many times of it are in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Burst {
    pub(crate) in_flight: usize,
    pub(crate) times: usize,
}

/// What a burst took.
#[derive(Clone, Debug)]
pub(crate) struct Spent {
    pub(crate) time: Duration,
    /// Of each that was done.
    pub(crate) latencies: Latencies,
}

impl Spent {
    /// How many a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.time.as_secs_f64()
    }
}

impl Burst {
    /// Acts on each of the numbers below `times`.
    pub(crate) async fn of<F: Future<Output = ()> + Send + 'static>(
        self,
        act: impl Fn(usize) -> F + Send + Sync + 'static,
    ) -> Result<Spent, JoinError> {
        let act = Arc::new(act);
        let start = Instant::now();
        let workers: Vec<_> = (0..self.in_flight)
            .map(|worker| tokio::spawn(self.share_of(worker, Arc::clone(&act))))
            .collect();
        let mut latencies = Latencies::default();
        for worker in workers {
            latencies.append(worker.await?);
        }
        Ok(Spent {
            time: start.elapsed(),
            latencies,
        })
    }

    /// What one of those in flight does, one after the other.
    fn share_of<F: Future<Output = ()> + Send + 'static>(
        self,
        worker: usize,
        act: Arc<impl Fn(usize) -> F + Send + Sync + 'static>,
    ) -> impl Future<Output = Latencies> + Send + 'static {
        let numbers = (worker..self.times).step_by(self.in_flight);
        async move {
            let mut latencies = Latencies::default();
            for number in numbers {
                let start = Instant::now();
                act(number).await;
                latencies.add(start.elapsed());
            }
            latencies
        }
    }
}
