//! Metrics and tracing.

pub(crate) mod meter;
pub(crate) mod outage;
pub(crate) mod trace;
