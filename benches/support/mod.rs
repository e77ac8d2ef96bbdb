//! What several benches share.
#![allow(dead_code, unreachable_pub, reason = "each bench uses its own part")]

pub mod client;
pub mod counted;
pub mod forgetful;
#[cfg(feature = "redis")]
#[path = "../../tests/support/redis.rs"]
#[allow(clippy::unwrap_used, reason = "a bench fails by panicking")]
pub mod redis;
pub mod request;
pub mod rounds;
pub mod service;
pub mod store;
pub mod wrk;

/// Whether to measure: `cargo bench` says `--bench`, and `cargo test --benches` does not.
pub fn is_measured() -> bool {
    let says = |word| std::env::args().any(|argument| argument == word);
    says("--bench") && !says("--test")
}

/// A size to measure, or a small one where it is only to be seen that a bench runs.
pub fn scaled(size: usize) -> usize {
    if is_measured() { size } else { size.min(1000) }
}
