//! Several attempts at the same time.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::fault::gives_advice;
use crate::store::StoreError;

/// The longest that one attempt takes, connecting included.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(2);
/// The longest that a better success is waited for.
const MOMENT: Duration = Duration::from_millis(100);

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

/// Makes all attempts at once; the first success counts.
pub(super) async fn first_success<T: Send + 'static>(
    attempts: impl Iterator<Item = impl Future<Output = Result<T, StoreError>> + Send + 'static>,
) -> Result<T, StoreError> {
    best_success(attempts, |_| (), ()).await
}

/// Makes all attempts at once. The first success of a rank that is `enough` counts; where none is, the
/// best of those that come within a moment of the first. The last failure stands for all, rather one
/// that says what to do.
pub(super) async fn best_success<T: Send + 'static, Rank: Ord>(
    attempts: impl Iterator<Item = impl Future<Output = Result<T, StoreError>> + Send + 'static>,
    rank: impl Fn(&T) -> Rank,
    enough: Rank,
) -> Result<T, StoreError> {
    let attempts = attempts.map(|attempt| timeout(ATTEMPT_WITHIN, attempt));
    let mut running: JoinSet<_> = attempts.collect();
    let (mut best, mut patience) = (None, ATTEMPT_WITHIN);
    let mut failure = StoreError::unavailable("no server to connect to");
    while let Ok(Some(joined)) = timeout(patience, running.join_next()).await {
        match joined {
            Ok(Ok(Ok(value))) => {
                patience = MOMENT;
                let is_enough = rank(&value) >= enough;
                if best.as_ref().is_none_or(|best| rank(&value) > rank(best)) {
                    best = Some(value);
                }
                if is_enough {
                    break;
                }
            }
            Ok(Ok(Err(_))) if gives_advice(&failure) => {}
            Ok(Ok(Err(failed))) => failure = failed,
            Ok(Err(late)) => failure = StoreError::unavailable(late),
            Err(stopped) => failure = StoreError::unavailable(stopped),
        }
    }
    best.ok_or(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::servers::fault::misconfigured;
    use crate::backend::redis::wire::address::Address;

    async fn best(attempts: &[(u64, Option<u8>)], enough: u8) -> Option<u8> {
        let attempts = attempts.iter().copied().map(|(after, value)| async move {
            tokio::time::sleep(Duration::from_millis(after)).await;
            value.ok_or_else(|| StoreError::unavailable("no"))
        });
        best_success(attempts, |value| *value, enough).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_that_is_enough_counts_or_the_best_within_a_moment() {
        let cases = [
            (&[(1, Some(5)), (2, Some(9))][..], Some(5)),
            (&[(1, Some(1)), (2, Some(5)), (3, Some(9))], Some(5)),
            (&[(1, Some(1)), (2, Some(3)), (3, Some(2))], Some(3)),
            (&[(1, Some(1)), (2000, Some(5))], Some(1)),
            (&[(1000, Some(1)), (1001, None), (1002, Some(5))], Some(5)),
            (&[(1, None), (2, None)], None),
            (&[], None),
        ];
        for (attempts, expected) in cases {
            assert_eq!(best(attempts, 5).await, expected, "{attempts:?}");
        }
    }

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
