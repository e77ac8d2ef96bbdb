//! What the crate is made of, and what its README says.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod autotrait;
mod dependencies;
mod guide;
mod messages;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod readme;
mod rooms;
