//! Several attempts at the same time.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fault::gives_advice;
use crate::store::StoreError;

/// The longest that one attempt takes, connecting included.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(2);

/// Does all at once, and returns what came of them in their order; the first failure is that of all.
///
/// The tasks end with the set: when one has failed, and when the caller is dropped.
pub(super) async fn all<T: Send + 'static>(
    work: impl Iterator<Item = impl Future<Output = Result<T, StoreError>> + Send + 'static>,
) -> Result<Vec<T>, StoreError> {
    let numbered = work.enumerate();
    let mut running: JoinSet<_> = numbered
        .map(|(number, work)| async move { (number, work.await) })
        .collect();
    let mut done = Vec::with_capacity(running.len());
    while let Some(joined) = running.join_next().await {
        let (number, result) = joined.map_err(StoreError::unavailable)?;
        done.push((number, result?));
    }
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// Makes all attempts at once; the first success counts. The last failure stands for all, rather
/// one that says what to do.
pub(super) async fn first_success<T: Send + 'static>(
    attempts: impl Iterator<Item = impl Future<Output = Result<T, StoreError>> + Send + 'static>,
) -> Result<T, StoreError> {
    let attempts = attempts.map(|attempt| timeout(ATTEMPT_WITHIN, attempt));
    let mut running: JoinSet<_> = attempts.collect();
    let mut outcome = Err(StoreError::unavailable("no server to connect to"));
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(_)) if outcome.as_ref().is_err_and(gives_advice) => {}
            Ok(Ok(failed)) => outcome = failed,
            Ok(Err(late)) => outcome = Err(StoreError::unavailable(late)),
            Err(stopped) => outcome = Err(StoreError::unavailable(stopped)),
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::servers::fault::misconfigured;
    use crate::backend::redis::wire::address::Address;

    #[tokio::test]
    async fn a_failure_that_says_what_to_do_stands_for_all() {
        let host = "localhost".to_owned();
        let telling = misconfigured(&Address { host, port: 1 }, "what to do");
        let silent = StoreError::unavailable("gone");
        for failures in [[&telling, &silent], [&silent, &telling]] {
            let failures = failures.into_iter().cloned().zip(0..);
            let attempts = failures.map(|(error, before)| async move {
                // Each ends after the one before it.
                for _ in 0..before * 100 {
                    tokio::task::yield_now().await;
                }
                Err::<(), _>(error)
            });
            let error = first_success(attempts).await.unwrap_err();
            assert!(gives_advice(&error), "{error:?}");
        }
    }
}
