//! Metrics for operators; nothing at all without the feature `metrics`.
//!
//! Every name and label is listed in `guide/observability.md`. What a hit counts with is looked up
//! once per node; everything else is rare enough to be looked up each time.

#[cfg(feature = "metrics")]
use std::sync::OnceLock;

#[cfg(feature = "metrics")]
use metrics::{Counter, Unit};

use crate::rejection::RejectionKind;

#[cfg(feature = "metrics")]
const CHECKS: &str = "wx_session_checks_total";
#[cfg(feature = "metrics")]
const STORE_DURATION: &str = "wx_session_store_duration_seconds";
#[cfg(feature = "metrics")]
const LINK_UP: &str = "wx_session_link_up";
#[cfg(feature = "metrics")]
const BREAKER_OPEN: &str = "wx_session_breaker_open";
#[cfg(feature = "metrics")]
const CACHED: &str = "wx_session_cached_sessions";
#[cfg(feature = "metrics")]
const LOGINS: &str = "wx_session_logins_total";
#[cfg(feature = "metrics")]
const REVOCATIONS: &str = "wx_session_revocations_total";
#[cfg(feature = "metrics")]
const PENDING: &str = "wx_session_pending_revocations";
#[cfg(feature = "metrics")]
const KEY_CHECKS: &str = "wx_session_key_checks_total";

/// Where the answer to a check was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnsweredBy {
    /// In the request: nothing had to be looked up.
    Request,
    /// In the hit table.
    Table,
    /// In what else this node remembers.
    Cache,
    /// Not here: the store was read, whether or not it was available.
    Store,
}

/// Counts the checks of one node.
#[derive(Default)]
pub(crate) struct Meter {
    /// By the result of a check, then by where it was answered.
    #[cfg(feature = "metrics")]
    checks: [[OnceLock<Counter>; 4]; 1 + RejectionKind::ALL.len()],
}

impl Meter {
    /// A check let a session pass.
    #[inline]
    pub(crate) fn passed(&self, by: AnsweredBy) {
        self.count(None, by);
    }

    /// A check ended with a refusal.
    #[inline]
    pub(crate) fn refused(&self, kind: RejectionKind, by: AnsweredBy) {
        self.count(Some(kind), by);
    }

    #[cfg(feature = "metrics")]
    fn count(&self, refusal: Option<RejectionKind>, by: AnsweredBy) {
        let row = refusal.map_or(0, |kind| 1 + kind as usize);
        let counter = self.checks[row][by as usize].get_or_init(|| checks(refusal, by));
        counter.increment(1);
    }

    #[cfg(not(feature = "metrics"))]
    #[inline]
    #[allow(clippy::unused_self, reason = "there is nothing to count with")]
    const fn count(&self, _: Option<RejectionKind>, _: AnsweredBy) {}
}

#[cfg(feature = "metrics")]
fn checks(refusal: Option<RejectionKind>, by: AnsweredBy) -> Counter {
    let verdict = match refusal {
        None => "valid",
        Some(RejectionKind::StoreUnavailable) => "unknown",
        Some(_) => "invalid",
    };
    let answered_by = match by {
        AnsweredBy::Request => "request",
        AnsweredBy::Table => "table",
        AnsweredBy::Cache => "cache",
        AnsweredBy::Store => "store",
    };
    metrics::describe_counter!(CHECKS, "Checks of session tokens.");
    metrics::counter!(
        CHECKS,
        "verdict" => verdict,
        "reason" => refusal.map_or("none", RejectionKind::reason),
        "answered_by" => answered_by,
    )
}

/// A node begins to work. What is recorded often is described here, once.
pub(crate) fn begins() {
    link(false);
    #[cfg(feature = "metrics")]
    metrics::describe_histogram!(
        STORE_DURATION,
        Unit::Seconds,
        "Time from a call of the session store to its answer."
    );
}

/// How long the store took.
#[cfg(feature = "metrics")]
pub(crate) fn store_answered(
    operation: &'static str,
    outcome: &'static str,
    took: std::time::Duration,
) {
    metrics::histogram!(STORE_DURATION, "operation" => operation, "outcome" => outcome)
        .record(took.as_secs_f64());
}

/// Whether revocations reach this node.
pub(crate) fn link(is_up: bool) {
    #[cfg(feature = "metrics")]
    {
        metrics::describe_gauge!(LINK_UP, "1 while revocations reach this node, otherwise 0.");
        metrics::gauge!(LINK_UP).set(if is_up { 1.0 } else { 0.0 });
    }
    #[cfg(not(feature = "metrics"))]
    let _ = is_up;
}

/// Whether the breaker is open.
pub(crate) fn breaker(is_open: bool) {
    #[cfg(feature = "metrics")]
    {
        let about = "1 while this node makes no calls to the session store, otherwise 0.";
        metrics::describe_gauge!(BREAKER_OPEN, about);
        metrics::gauge!(BREAKER_OPEN).set(if is_open { 1.0 } else { 0.0 });
    }
    #[cfg(not(feature = "metrics"))]
    let _ = is_open;
}

/// How many sessions are in the cache of this node.
pub(crate) fn cached(sessions: u64) {
    #[cfg(feature = "metrics")]
    {
        metrics::describe_gauge!(CACHED, "Sessions in the cache of this node.");
        #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
        metrics::gauge!(CACHED).set(sessions as f64);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = sessions;
}

/// A login ended: `issued`, `replayed` or the reason of its refusal.
pub(crate) fn login(outcome: &'static str) {
    #[cfg(feature = "metrics")]
    {
        metrics::describe_counter!(LOGINS, "Requests to log in.");
        metrics::counter!(LOGINS, "outcome" => outcome).increment(1);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = outcome;
}

/// A revocation was answered.
pub(crate) fn revocation(outcome: &'static str) {
    #[cfg(feature = "metrics")]
    {
        metrics::describe_counter!(REVOCATIONS, "Revocations requested from this node.");
        metrics::counter!(REVOCATIONS, "outcome" => outcome).increment(1);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = outcome;
}

/// How many revocations wait for the store.
pub(crate) fn pending_revocations(pending: u32) {
    #[cfg(feature = "metrics")]
    {
        metrics::describe_gauge!(
            PENDING,
            "Revocations that are not written to the session store yet."
        );
        metrics::gauge!(PENDING).set(f64::from(pending));
    }
    #[cfg(not(feature = "metrics"))]
    let _ = pending;
}

/// What a check of a user's `session_key` came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyCheck {
    Valid,
    /// The user's sessions were ended.
    Over,
    /// It was over, and the user has another one by now.
    Replaced,
    CannotTell,
    NoKey,
    StoreUnavailable,
    /// Too many were waiting.
    Dropped,
}

/// A check of a `session_key` has ended, or will not be made.
pub(crate) fn session_key_check(outcome: KeyCheck) {
    #[cfg(feature = "metrics")]
    {
        let outcome = match outcome {
            KeyCheck::Valid => "valid",
            KeyCheck::Over => "over",
            KeyCheck::Replaced => "replaced",
            KeyCheck::CannotTell => "cannot_tell",
            KeyCheck::NoKey => "no_key",
            KeyCheck::StoreUnavailable => "store_unavailable",
            KeyCheck::Dropped => "dropped",
        };
        metrics::describe_counter!(KEY_CHECKS, "Checks of users' session_keys at the platform.");
        metrics::counter!(KEY_CHECKS, "outcome" => outcome).increment(1);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = outcome;
}
