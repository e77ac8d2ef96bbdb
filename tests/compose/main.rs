//! The layer among other layers and services: what `guide::composing` says.
#![cfg(feature = "test-util")]
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![allow(unreachable_pub, reason = "modules of a test")]

mod any_service;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod cors;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod cors_browser;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod limits;
mod readiness;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod routing;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod site;
#[path = "../support/mod.rs"]
mod support;
mod token_places;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod told;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod traces;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod websocket;
#[cfg(all(feature = "axum", feature = "wechat", feature = "redis"))]
mod websocket_browser;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod websocket_http2;
#[cfg(all(feature = "axum", feature = "wechat"))]
mod websocket_opening;
