use std::future::Future;

#[cfg(feature = "metrics")]
use std::time::Instant;

use super::{
    Feed, Insert, Inserted, Loaded, PutSessionKey, Revoke, Rotate, Rotated, SessionStore,
    StoreError,
};
use crate::identity::Identity;
use crate::observe::trace;
use crate::session::{Record, Touch};
use crate::time::Timestamp;
use crate::token::{SessionId, TagKey};

/// A store whose every operation is measured, and has a span.
pub(crate) struct Measured<S>(pub(crate) S);

macro_rules! watch {
    ($($method:ident($($argument:ident: $type:ty)?) -> $answer:ty;)*) => {
        impl<S: SessionStore> SessionStore for Measured<S> {
            $(async fn $method(&self $(, $argument: $type)?) -> Result<$answer, StoreError> {
                let operation = stringify!($method);
                let answer = timed(operation, self.0.$method($($argument)?));
                trace::store_span(operation, answer).await
            })*

            fn part(&self, bucket: [u8; 2]) -> u64 {
                self.0.part(bucket)
            }

            fn is_shared(&self) -> bool {
                self.0.is_shared()
            }
        }
    };
}

for_each_operation!(watch);

#[cfg(not(feature = "metrics"))]
fn timed<F: Future>(_: &'static str, answer: F) -> F {
    answer
}

#[cfg(feature = "metrics")]
async fn timed<T>(
    operation: &'static str,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut stopwatch = Stopwatch {
        operation,
        outcome: "given_up",
        started: Instant::now(),
    };
    let answer = answer.await;
    stopwatch.outcome = if answer.is_ok() { "ok" } else { "error" };
    answer
}

/// Measures an operation also when nobody waits for its answer any longer.
#[cfg(feature = "metrics")]
struct Stopwatch {
    operation: &'static str,
    outcome: &'static str,
    started: Instant,
}

#[cfg(feature = "metrics")]
impl Drop for Stopwatch {
    fn drop(&mut self) {
        crate::observe::meter::store_answered(self.operation, self.outcome, self.started.elapsed());
    }
}
