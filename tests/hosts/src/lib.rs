//! Web frameworks, each behind its own server, with sessions checked in front of a handler: those that
//! take the layer as it is, and those that need a guard.

pub mod host;
pub mod site;
// Formatted where it is at home.
#[rustfmt::skip]
#[allow(clippy::new_without_default, reason = "what a test needs")]
#[path = "../../support/mod.rs"]
pub mod support;
