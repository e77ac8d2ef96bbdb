//! Events for operators; nothing at all without the feature `tracing`.
//!
//! Errors are written with all their causes, which hold no secret.

use std::error::Error;
use std::fmt;

use crate::SessionId;

#[cfg(feature = "tracing")]
macro_rules! event {
    ($level:ident, $($field:tt)*) => { tracing::$level!(target: "tower_wx_session", $($field)*) };
}

#[cfg(not(feature = "tracing"))]
macro_rules! event {
    ($level:ident, $($name:ident = %$value:expr,)* $message:literal) => {
        { $(let _ = $value;)* }
    };
}

pub(crate) fn store_failed(error: &(dyn Error + 'static)) {
    event!(warn, error = %Chain(error), "session store failed");
}

pub(crate) fn record_refused(id: SessionId, error: &(dyn Error + 'static)) {
    event!(error, session = %id, error = %Chain(error), "session record refused");
}

pub(crate) fn link_down(error: &(dyn Error + 'static)) {
    event!(warn, error = %Chain(error), "no link for revocations");
}

#[cfg(feature = "redis")]
pub(crate) fn store_may_evict(policy: &str) {
    event!(
        warn,
        policy = %policy,
        "the session store may evict sessions: set its maxmemory-policy to noeviction"
    );
}

pub(crate) fn provider_failed(error: &(dyn Error + 'static)) {
    event!(error, error = %Chain(error), "login provider failed");
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

pub(crate) fn revocation_pending(error: &(dyn Error + 'static)) {
    event!(warn, error = %Chain(error), "revocation pending until the session store is back");
}

/// An error and its causes in one line.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
