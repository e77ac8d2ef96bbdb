//! Events and spans for operators; nothing at all without the feature `tracing`.
//!
//! Errors are written with all their causes, which hold no secret. Spans are around what waits for
//! another system, never around a hit. All are listed in `guide/observability.md`.

use std::error::Error;
use std::fmt;
#[cfg(feature = "tracing")]
use std::future::Future;

#[cfg(feature = "tracing")]
use tracing::{Instrument, Span, field::Empty};

use crate::observe::outage::Over;
#[cfg(feature = "tracing")]
use crate::rejection::Rejection;

#[cfg(feature = "tracing")]
macro_rules! event {
    ($level:ident, $($field:tt)*) => { tracing::$level!(target: "tower_wx_session", $($field)*) };
}

#[cfg(not(feature = "tracing"))]
macro_rules! event {
    ($level:ident, $($name:ident = $(%)? $value:expr,)* $message:literal $(,)?) => {
        { $(let _ = $value;)* }
    };
}

/// At level warn when something begins, at level debug while it goes on.
#[cfg(feature = "tracing")]
macro_rules! first {
    ($is_first:expr, $($field:tt)*) => {
        if $is_first { event!(warn, $($field)*) } else { event!(debug, $($field)*) }
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! first {
    ($is_first:expr, $($field:tt)*) => {{ let _ = $is_first; event!(debug, $($field)*) }};
}

#[cfg(feature = "tracing")]
macro_rules! span {
    ($($field:tt)*) => { tracing::debug_span!(target: "tower_wx_session", $($field)*) };
}

pub(crate) fn store_failed(error: &(dyn Error + 'static), is_first: bool) {
    first!(is_first, error = %Chain(error), "session store failed");
}

pub(crate) fn store_is_back(outage: Over) {
    event!(info, failures = %outage.failures, seconds = %outage.lasted.as_secs_f64(), "session store is back");
}

pub(crate) fn store_takes_writes_again(outage: Over) {
    event!(info, failures = %outage.failures, seconds = %outage.lasted.as_secs_f64(), "session store takes writes again");
}

#[cfg(feature = "file")]
pub(crate) fn file_in_use(path: &std::path::Path) {
    event!(info, path = %path.display(), "session file is open already: waiting for its end, 5 s at most");
}

pub(crate) fn record_refused(id: impl fmt::Display, error: &(dyn Error + 'static)) {
    event!(error, session = %id, error = %Chain(error), "session record refused");
}

pub(crate) fn link_down(error: &(dyn Error + 'static), is_first: bool) {
    first!(is_first, error = %Chain(error), "no link for revocations");
}

pub(crate) fn link_lost() {
    event!(warn, "link for revocations lost");
}

pub(crate) fn link_up() {
    event!(info, "link for revocations up");
}

pub(crate) fn breaker_opened() {
    event!(
        error,
        "session store is down: it is not asked until it answers a probe"
    );
}

pub(crate) fn breaker_closed() {
    event!(info, "session store answers probes: it is asked again");
}

#[cfg(feature = "redis")]
pub(crate) fn store_may_evict(policy: &str) {
    event!(
        warn,
        policy = %policy,
        "the session store may evict sessions, and the list that ends all of a user's: \
         set its maxmemory-policy to noeviction"
    );
}

#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn store_may_lose(settings: &str) {
    event!(
        warn,
        settings = %settings,
        "the session store may lose sessions, and ends of sessions, when its server dies: \
         switch these settings on"
    );
}

pub(crate) fn provider_failed(error: &(dyn Error + 'static), platform: Option<&str>) {
    event!(error, error = %Chain(error), platform = platform, "login provider failed");
}

pub(crate) fn provider_unavailable(
    error: &(dyn Error + 'static),
    platform: Option<&str>,
    is_first: bool,
) {
    first!(is_first, error = %Chain(error), platform = platform, "login provider failed");
}

pub(crate) fn provider_is_back(platform: Option<&str>, outage: Over) {
    event!(info, platform = platform, failures = %outage.failures, seconds = %outage.lasted.as_secs_f64(), "login provider is back");
}

pub(crate) fn session_key_check_failed(error: &(dyn Error + 'static), is_first: bool) {
    first!(is_first, error = %Chain(error), "session_key check failed");
}

pub(crate) fn session_key_checks_work(outage: Over) {
    event!(info, failures = %outage.failures, seconds = %outage.lasted.as_secs_f64(), "session_key checks work again");
}

#[cfg(feature = "wechat")]
pub(crate) fn no_access_token(error: &(dyn Error + 'static), is_first: bool) {
    first!(is_first, error = %Chain(error), "no access token from WeChat");
}

#[cfg(feature = "wechat")]
pub(crate) fn access_tokens_are_back(outage: Over) {
    event!(info, failures = %outage.failures, seconds = %outage.lasted.as_secs_f64(), "access tokens from WeChat again");
}

pub(crate) fn on_login_failed(error: &(dyn Error + 'static)) {
    event!(error, error = %Chain(error), "on_login failed");
}

pub(crate) fn login_too_late() {
    event!(
        error,
        "login ended by its deadline: the provider or on_login takes too long"
    );
}

pub(crate) fn revocation_pending(error: &(dyn Error + 'static), is_first: bool) {
    first!(is_first, error = %Chain(error), "revocation pending until the session store is back");
}

pub(crate) fn no_revocation_pending() {
    event!(info, "no revocation is pending any longer");
}

pub(crate) fn revocation_given_up(error: &(dyn Error + 'static)) {
    event!(error, error = %Chain(error), "pending revocation refused by the session store");
}

pub(crate) fn tag_key_put_back(id: u8) {
    event!(warn, key = %id, "session store had lost a tag key: put back");
}

pub(crate) fn revocations_lost(lost: u32) {
    event!(
        error,
        revocations = %lost,
        "pending revocations lost: the session store was not told before the last handle went"
    );
}

/// An operation of the store.
#[cfg(feature = "tracing")]
pub(crate) fn store_span<F: Future>(
    operation: &'static str,
    call: F,
) -> impl Future<Output = F::Output> {
    let span = span!(
        "session store",
        otel.kind = "client",
        db.operation.name = operation
    );
    call.instrument(span)
}

/// A check that reads the store.
#[cfg(feature = "tracing")]
pub(crate) async fn check_span<T>(
    check: impl Future<Output = Result<T, Rejection>>,
) -> Result<T, Rejection> {
    within(span!("session check", error.type = Empty), check).await
}

/// A login, from its code to its answer.
#[cfg(feature = "tracing")]
pub(crate) async fn login_span<T>(
    login: impl Future<Output = Result<T, Rejection>>,
) -> Result<T, Rejection> {
    within(span!("session login", error.type = Empty), login).await
}

/// A revocation, until it is written or pending.
#[cfg(feature = "tracing")]
pub(crate) async fn revocation_span<T>(
    revocation: impl Future<Output = Result<T, Rejection>>,
) -> Result<T, Rejection> {
    within(span!("session revocation", error.type = Empty), revocation).await
}

/// A check of a `session_key`, from the look at the store to its end.
#[cfg(feature = "tracing")]
pub(crate) fn session_key_check_span<F: Future>(check: F) -> impl Future<Output = F::Output> {
    check.instrument(span!("session_key check"))
}

#[cfg(feature = "tracing")]
async fn within<T>(
    span: Span,
    work: impl Future<Output = Result<T, Rejection>>,
) -> Result<T, Rejection> {
    let result = work.instrument(span.clone()).await;
    if let Err(rejection) = &result {
        span.record("error.type", rejection.kind().reason());
    }
    result
}

/// Has a task that is spawned belong to the span that it is spawned in.
#[cfg(feature = "tracing")]
pub(crate) fn inherit<F: Future>(task: F) -> impl Future<Output = F::Output> {
    task.in_current_span()
}

#[cfg(not(feature = "tracing"))]
pub(crate) use self::without_spans::{
    check_span, inherit, login_span, revocation_span, session_key_check_span, store_span,
};

#[cfg(not(feature = "tracing"))]
mod without_spans {
    pub(crate) fn store_span<F>(_: &'static str, call: F) -> F {
        call
    }

    pub(crate) fn inherit<F>(work: F) -> F {
        work
    }

    pub(crate) use self::inherit as check_span;
    pub(crate) use self::inherit as login_span;
    pub(crate) use self::inherit as revocation_span;
    pub(crate) use self::inherit as session_key_check_span;
}

/// An error and its causes in one line. What a cause says that stands before it already is left out: an
/// error of a store may be the cause of another.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let says = error.to_string();
            if says != said {
                write!(f, ": {says}")?;
            }
            said = says;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn an_error_that_is_the_cause_of_its_like_is_told_once() {
        let error = StoreError::unavailable("the disk is full");
        let error = StoreError::unavailable(StoreError::unavailable(error));
        let told = "session store unavailable: the disk is full";
        assert_eq!(Chain(&error).to_string(), told);
    }
}
