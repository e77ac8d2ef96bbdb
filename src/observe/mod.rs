//! What operators see of a node: metrics, events, spans.

pub(crate) mod meter;
pub(crate) mod outage;
pub(crate) mod trace;
