//! Pages on using the crate together with others.

#[cfg(feature = "axum")]
#[doc = include_str!("composing.md")]
pub mod composing {}

#[doc = include_str!("observability.md")]
pub mod observability {}

#[doc = include_str!("performance.md")]
pub mod performance {}
