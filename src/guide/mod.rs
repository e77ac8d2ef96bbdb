//! Pages on using the crate together with others.

#[doc = include_str!("observability.md")]
pub mod observability {}
