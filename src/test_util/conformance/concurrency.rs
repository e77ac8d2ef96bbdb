//! Operations at the same time.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::yield_now;

use super::violation::Outcome;
use crate::store::StoreError;

/// Runs operations at the same time, as far as the runtime can.
pub(super) async fn together<T: Send + 'static>(
    operations: Vec<impl Future<Output = Result<T, StoreError>> + Send + 'static>,
) -> Outcome<Vec<T>> {
    let start = Arc::new(Barrier::new(operations.len()));
    let started: Vec<_> = operations
        .into_iter()
        .map(|operation| tokio::spawn(after(Arc::clone(&start), 0, operation)))
        .collect();
    let mut answers = Vec::with_capacity(started.len());
    for task in started {
        answers.push(task.await??);
    }
    Ok(answers)
}

/// Runs two operations at the same time; who has the better start changes from round to round.
pub(super) async fn race<A: Send + 'static, B: Send + 'static>(
    round: usize,
    a: impl Future<Output = Result<A, StoreError>> + Send + 'static,
    b: impl Future<Output = Result<B, StoreError>> + Send + 'static,
) -> Outcome<(A, B)> {
    let start = Arc::new(Barrier::new(2));
    let a = tokio::spawn(after(Arc::clone(&start), round % 3, a));
    let b = tokio::spawn(after(start, round / 3 % 3, b));
    Ok((a.await??, b.await??))
}

async fn after<T>(start: Arc<Barrier>, pauses: usize, operation: impl Future<Output = T>) -> T {
    start.wait().await;
    for _ in 0..pauses {
        yield_now().await;
    }
    operation.await
}
